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

    /// - Parameter environment: what `${NAME}` means; usually that of the process.
    public init(
        drivers: DriverRegistry, sinks: SinkRegistry, channels: ChannelRegistry = ChannelRegistry([]),
        environment: [String: String], files: any ConfigurationFiles = SystemFiles()
    ) {
        self.drivers = drivers
        self.sinks = sinks
        self.channels = channels
        self.environment = environment
        self.files = files
    }

    public struct Loading: Sendable {
        /// `nil` when there is an error.
        public let configuration: HostConfiguration?
        public let report: DiagnosticReport
        /// The data directory as the main file names it, also when something else is wrong; `nil` when it is not known.
        public let dataDirectory: String?
        /// What was looked at for it.
        let sources: ConfigurationSources
    }

    /// Opens nothing but files.
    public func load(_ path: String) -> Loading {
        var reader = FileReader(substitution: Substitution(environment: environment, files: files))
        guard let root = reader.read(path) else { return finish(nil, reader, []) }
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
        let report = DiagnosticReport(reader.diagnostics + diagnostics, files: reader.paths)
        return Loading(
            configuration: report.hasErrors ? nil : configuration, report: report,
            dataDirectory: configuration?.dataDirectory,
            sources: ConfigurationSources(files: reader.allPaths, patterns: reader.patterns))
    }
}

/// Reads files into substituted trees and keeps what went wrong.
struct FileReader {
    private var substitution: Substitution
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
        let limits = YAMLReader.Limits()
        paths.append(path)
        do throws(FileProblem) {
            let bytes = try substitution.files.read(path, limit: limits.byteCount)
            let reading = YAMLReader.read(bytes: bytes, file: path, limits: limits)
            ownDiagnostics += reading.diagnostics
            return reading.root.map {
                substitution.apply(to: $0, directory: ConfigurationPath.directory(of: path))
            }
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
