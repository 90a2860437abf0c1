public import Alerts
import DeviceKit
import YAML

/// Reads a configuration: files to trees, trees to types. Reports every problem at once.
public struct ConfigurationLoader: Sendable {
    private let drivers: DriverRegistry
    private let sinks: SinkRegistry
    private let channels: ChannelRegistry
    private let environment: [String: String]
    private let files: any ConfigurationFiles
    private let secrets: (@Sendable (_ dataDirectory: String) -> any SecretSource)?

    /// - Parameters:
    ///   - environment: what `${NAME}` means; usually that of the process.
    ///   - secrets: what `${secret:name}` means in a configuration with this data directory.
    public init(
        drivers: DriverRegistry, sinks: SinkRegistry, channels: ChannelRegistry = ChannelRegistry([]),
        environment: [String: String], files: any ConfigurationFiles = SystemFiles(),
        secrets: (@Sendable (_ dataDirectory: String) -> any SecretSource)? = nil
    ) {
        self.drivers = drivers
        self.sinks = sinks
        self.channels = channels
        self.environment = environment
        self.files = files
        self.secrets = secrets
    }

    public struct Loading: Sendable {
        /// `nil` when there is an error.
        public let configuration: HostConfiguration?
        public let report: DiagnosticReport
        /// The data directory as the main file names it, also when something else is wrong; `nil` when it is not known.
        public let dataDirectory: String?
        /// What was looked at for it.
        let sources: ConfigurationSources
        /// Takes the secrets of this configuration out of texts.
        public let redactor: Redactor
    }

    /// Where `data:` points, even when the rest of the file has errors; `nil` when that cannot be told.
    public func dataDirectory(_ path: String) -> String? {
        var reader = FileReader(substitution: Substitution(environment: environment, files: files))
        return reader.tree(path).flatMap { dataDirectory($0, reader.substitution) }
    }

    private func dataDirectory(_ root: ConfigurationNode, _ substitution: Substitution) -> String? {
        let setting = ConfigurationKeys.Root.data
        guard let members = try? root.members() else { return nil }
        let directory = ConfigurationPath.directory(of: root.mark.file)
        guard let node = members.first(where: { $0.key == setting.key })?.node else {
            return setting.fallback.map { ConfigurationPath.resolve($0, from: directory) }
        }
        // On a copy: what is wrong here is reported when the whole file is substituted.
        var substitution = substitution
        let written = substitution.apply(to: node, directory: directory)
        return (try? setting.type.read(written)).map { ConfigurationPath.resolve($0, from: directory) }
    }

    /// Opens nothing but files.
    public func load(_ path: String) -> Loading {
        var reader = FileReader(substitution: Substitution(environment: environment, files: files))
        guard let tree = reader.tree(path) else { return finish(nil, reader, []) }
        if let secrets, let directory = dataDirectory(tree, reader.substitution) {
            reader.substitution.secrets = secrets(directory)
        }
        let root = reader.substituted(tree, path)
        var assembler = ConfigurationAssembler(drivers: drivers, sinks: sinks, channels: channels)
        let main = assembler.readRoot(root)
        for pattern in assembler.includes {
            assembler.add(reader.readIncludes(pattern, from: ConfigurationPath.directory(of: path)))
        }
        assembler.checkTogether(isSound: !reader.diagnostics.contains { $0.severity == .error })
        let configuration = main.map { assembler.configuration($0, files: reader.paths) }
        return finish(configuration, reader, assembler.report)
    }

    private func finish(
        _ configuration: HostConfiguration?, _ reader: FileReader, _ diagnostics: [Diagnostic]
    ) -> Loading {
        let used = reader.substitution.usedSecrets
        let report = DiagnosticReport(
            SecretMask.masked(reader.diagnostics + diagnostics, used), files: reader.paths)
        return Loading(
            configuration: report.hasErrors ? nil : configuration, report: report,
            dataDirectory: configuration?.dataDirectory,
            sources: ConfigurationSources(files: reader.allPaths, patterns: reader.patterns),
            redactor: Redactor(used.map(\.value)))
    }
}

/// Reads files into substituted trees and keeps what went wrong.
struct FileReader {
    var substitution: Substitution
    private var ownDiagnostics: [Diagnostic] = []
    /// In the order of reading.
    private(set) var paths: [String] = []
    /// Of includes, as they were looked up.
    private(set) var patterns: [String] = []

    init(substitution: Substitution) { self.substitution = substitution }

    var diagnostics: [Diagnostic] { ownDiagnostics + substitution.diagnostics }

    /// Also the files whose contents were put in the place of `${file:…}`.
    var allPaths: [String] { paths + substitution.paths }

    mutating func read(_ path: String, askedBy asker: ConfigurationNode? = nil) -> ConfigurationNode? {
        tree(path, askedBy: asker).map { substituted($0, path) }
    }

    mutating func substituted(_ tree: ConfigurationNode, _ path: String) -> ConfigurationNode {
        substitution.apply(to: tree, directory: ConfigurationPath.directory(of: path))
    }

    /// The tree as it stands in the file.
    mutating func tree(_ path: String, askedBy asker: ConfigurationNode? = nil) -> ConfigurationNode? {
        let limits = YAMLReader.Limits()
        paths.append(path)
        do throws(FileProblem) {
            let bytes = try substitution.files.read(path, limit: limits.byteCount)
            let reading = YAMLReader.read(bytes: bytes, file: path, limits: limits)
            ownDiagnostics += reading.diagnostics
            return reading.root
        } catch {
            ownDiagnostics.append(
                Diagnostic(
                    code: "unreadable-file", at: asker?.mark ?? SourceMark(file: path), path: asker?.path ?? "",
                    asker == nil ? "cannot be read: \(error.reason)" : "cannot read '\(path)': \(error.reason)",
                    hint: asker == nil ? "muster init writes a starter configuration" : nil))
            return nil
        }
    }

    /// The trees of the files that a path or pattern names. A pattern may match none; files are read once.
    mutating func readIncludes(_ pattern: ConfigurationAssembler.Include, from directory: String) -> [ConfigurationNode]
    {
        let isPattern = ConfigurationPath.isPattern(pattern.path)
        let found: [String]
        if isPattern {
            let isAbsolute = pattern.path.hasPrefix("/")
            let path = ConfigurationPath.resolve(
                pattern.path, from: isAbsolute ? "" : ConfigurationPath.escaped(directory))
            patterns.append(path)
            found = substitution.files.matches(path)
        } else {
            found = [ConfigurationPath.resolve(pattern.path, from: directory)]
        }
        return found.filter { !paths.contains($0) }.compactMap { read($0, askedBy: pattern.node) }
    }
}
