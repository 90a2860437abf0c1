internal import ArgumentParser
internal import DeviceKit
internal import Foundation
internal import Journal
internal import MusterHost
internal import Secrets

/// `--config`, and what every command does with it.
struct ConfigurationOption: ParsableArguments {
    @Option(name: [.short, .customLong("config")], help: "The configuration to use.")
    var path = Self.usual

    private static let usual = "muster.yaml"
    /// Nobody named another.
    var isDefault: Bool { path == Self.usual }

    static var loader: ConfigurationLoader {
        ConfigurationLoader(
            drivers: BuiltIns.drivers, sinks: BuiltIns.sinks, channels: BuiltIns.channels,
            environment: ProcessInfo.processInfo.environment,
            secrets: { VaultSecrets(vault: SecretVault.ofProcess(directory: $0)) })
    }

    /// Makes what the reading of every configuration needs, by reading a small one that is no file: the first reading takes
    /// milliseconds longer than the next.
    static func prepare() async {
        struct Smallest: ConfigurationFiles {
            func read(_ path: String, limit: Int) throws(FileProblem) -> [UInt8] {
                Array("timezone: UTC\ndevices: {}\n".utf8)
            }

            func matches(_ pattern: String) -> [String] { [] }
        }
        for driver in BuiltIns.drivers.registrations { _ = driver.schema }
        let loader = ConfigurationLoader(
            drivers: BuiltIns.drivers, sinks: BuiltIns.sinks, channels: BuiltIns.channels, environment: [:],
            files: Smallest())
        _ = loader.load("")
    }

    /// The configuration; problems go to standard error.
    func load() throws -> HostConfiguration { try loadWhole().configuration }

    /// The configuration with what keeps its secrets out of the log.
    func loadWhole() throws -> LoadedConfiguration {
        guard FileManager.default.fileExists(atPath: path) else {
            throw Failure(
                Exit.configuration, "there is no \(path): make one with muster init, or name it with --config")
        }
        let loading = Self.loader.load(path)
        guard let configuration = loading.configuration else {
            StandardError.write(loading.report.text + "\n")
            throw Exit.configuration
        }
        let warnings = loading.report.diagnostics.filter { $0.severity == .warning }
        for warning in warnings { StandardError.write("\(warning)\n") }
        return LoadedConfiguration(configuration: configuration, redactor: loading.redactor)
    }

    func reader(_ configuration: HostConfiguration) throws -> JournalReader {
        try JournalReader(DataDirectory(path: configuration.dataDirectory))
    }
}

struct LoadedConfiguration {
    let configuration: HostConfiguration
    let redactor: Redactor
}

extension HostConfiguration {
    /// The device of a name given on the command line.
    func device(named name: String) throws -> Device {
        guard let id = DeviceID(name), let device = self[device: id] else {
            let known = devices.map(\.id.name).joined(separator: ", ")
            throw Failure(Exit.usage, "there is no device \(name). Configured: \(known.isEmpty ? "none" : known)")
        }
        return device
    }

    /// The sink of a name given on the command line.
    func sink(named name: String) throws -> Sink {
        guard let sink = self[sink: name] else {
            let known = sinks.map(\.name).joined(separator: ", ")
            throw Failure(Exit.usage, "there is no sink \(name). Configured: \(known.isEmpty ? "none" : known)")
        }
        return sink
    }
}
