public import DeviceKit

/// Reads YAML into a positioned tree.
///
/// YAML 1.1 as libyaml understands it, in UTF-8, one document to a file. Refused, because a configuration has no use for
/// them: tags, keys that are not texts, empty keys, the same key twice. Anchors and aliases work within
/// ``Limits``. Nothing is typed here: `no` and `007` stay the texts that they are.
public enum YAMLReader {
    /// What a file may cost.
    public struct Limits: Sendable, Hashable {
        public var byteCount = 8 << 20
        /// How many sequences and mappings may stand inside each other.
        public var depth = 32
        /// Nodes of the tree, aliases expanded.
        public var nodeCount = 500_000
        /// Nodes that aliases may add.
        public var aliasedNodeCount = 50_000
        /// Problems that are reported; then reading ends.
        public var diagnosticCount = 1_000

        public init() {}
    }

    /// What stood in a file.
    public struct Reading: Sendable {
        /// `nil` when an error kept the tree from being read whole. An empty file is ``ConfigurationNode/Value/null``.
        public let root: ConfigurationNode?
        /// In the order of the file.
        public let diagnostics: [Diagnostic]
    }

    /// Pure, and safe for any bytes.
    /// - Parameter file: the name for messages.
    public static func read(bytes: [UInt8], file: String, limits: Limits = Limits()) -> Reading {
        if let problem = refusal(bytes, file: file, limits: limits) {
            return Reading(root: nil, diagnostics: [problem])
        }
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        let lines = SourceLines(content, file: file)
        guard !content.isEmpty else {
            return Reading(
                root: ConfigurationNode(.null, at: lines.mark(line: 1, column: 1), path: ""), diagnostics: [])
        }
        return content.withUnsafeBufferPointer { buffer in
            var builder = TreeBuilder(events: EventReader(buffer, lines: lines), lines: lines, limits: limits)
            let root = builder.buildDocument()
            return Reading(root: root, diagnostics: builder.diagnostics)
        }
    }

    private static func refusal(_ bytes: [UInt8], file: String, limits: Limits) -> Diagnostic? {
        let place = SourceMark(file: file)
        if bytes.count > limits.byteCount {
            return Diagnostic(
                code: "too-large", at: place, path: "", "has \(bytes.count) bytes, at most \(limits.byteCount) are read"
            )
        }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            return Diagnostic(code: "encoding", at: place, path: "", "is written in UTF-16", hint: "save it as UTF-8")
        }
        return nil
    }
}
