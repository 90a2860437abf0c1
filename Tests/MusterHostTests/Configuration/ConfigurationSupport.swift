import DeviceKit
import MusterHost

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A few texts instead of a disk.
struct MemoryFiles: ConfigurationFiles {
    var contents: [String: [UInt8]] = [:]

    init(_ texts: [String: String]) { contents = texts.mapValues { Array($0.utf8) } }

    func read(_ path: String, limit: Int) throws(FileProblem) -> [UInt8] {
        guard let bytes = contents[path] else { throw FileProblem(reason: "no such file or directory") }
        return Array(bytes.prefix(limit + 1))
    }

    func matches(_ pattern: String) -> [String] {
        contents.keys.filter { fnmatch(pattern, $0, FNM_PATHNAME | FNM_PERIOD) == 0 }.sorted()
    }
}

/// A driver that a configuration can name; it never opens.
struct TerminalDriver: DeviceDriver {
    struct Settings: DriverSettings {
        static let address = Setting.host("address", "Address of the terminal.")
        static let port = Setting.port("port", default: 4370, "TCP port.")
        static let password = Setting.secret("password", default: Secret(""), "Communication key.")
        static let timeout = Setting.duration(
            "timeout", default: .seconds(10), in: .seconds(1) ... .seconds(60), "Time limit of an answer.")
        static let schema = SettingsSchema(address, port, password, timeout)

        let address: String
        let password: Secret

        init(_ values: SettingsValues) throws(ConfigurationError) {
            address = try values.value(Self.address)
            password = try values.value(Self.password)
            if address == "localhost", try values.value(Self.port) == 1 {
                throw values.error("port", "port 1 of localhost is no terminal")
            }
        }
    }

    static let manifest = DriverManifest(
        id: "zkteco", version: "1", summary: "Terminals of ZKTeco.", intakes: [.polling, .capturing], capabilities: [],
        addressKey: "address", portKey: "port")

    let settings: Settings

    init(settings: Settings, context: DriverContext) throws(DeviceFault) { self.settings = settings }

    func open() async throws(DeviceFault) -> any DeviceSession { throw DeviceFault(.unreachable, "never there") }
}

/// A driver without an address.
struct PretendDriver: DeviceDriver {
    struct Settings: DriverSettings {
        static let people = Setting.integer("people", default: 50, in: 1...10_000, "How many people.")
        static let rate = Setting.rate("rate", default: .perMinute(2), "Punches.")
        static let seed = Setting.integer("seed", default: 1, in: 0...1_000, "Seed.")
        static let schema = SettingsSchema(people, rate, seed)

        init(_ values: SettingsValues) throws(ConfigurationError) {}
    }

    static let manifest = DriverManifest(
        id: "simulator", version: "1", summary: "A terminal that is not there.", intakes: [.polling], capabilities: [])

    init(settings: Settings, context: DriverContext) throws(DeviceFault) {}

    func open() async throws(DeviceFault) -> any DeviceSession { throw DeviceFault(.unreachable, "never there") }
}

/// A sink that takes everything.
struct OpenSink<Kind: OpenSinkKind>: PunchSink {
    struct Settings: SinkSettings {
        static var schema: SettingsSchema { SettingsSchema(Kind.setting) }
        init(_ values: SettingsValues) throws(ConfigurationError) {}
    }

    static var manifest: SinkManifest { SinkManifest(id: Kind.name, summary: "Takes everything.") }

    init(settings: Settings, context: SinkContext) throws(SinkFault) {}
    func open() async throws(SinkFault) {}
    func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery { .allAccepted }
    func close() async {}
}

protocol OpenSinkKind: Sendable {
    static var name: String { get }
    static var setting: any SettingDeclaration { get }
}

enum FileKind: OpenSinkKind {
    static let name = "file"
    static var setting: any SettingDeclaration { Setting.path("path", "Where the lines go.", example: "punches.jsonl") }
}

enum PostgresKind: OpenSinkKind {
    static let name = "postgres"
    static var setting: any SettingDeclaration { Setting.secret("url", "Where the database is.") }
}

let testDrivers = DriverRegistry([DriverRegistration(TerminalDriver.self), DriverRegistration(PretendDriver.self)])
let testSinks = SinkRegistry([SinkRegistration(OpenSink<FileKind>.self), SinkRegistration(OpenSink<PostgresKind>.self)])

/// Loads `main` as office.yaml.
func load(
    _ main: String, environment: [String: String] = [:], files: [String: String] = [:]
) -> ConfigurationLoader.Loading {
    let all = files.merging(["office.yaml": main]) { _, main in main }
    return ConfigurationLoader(
        drivers: testDrivers, sinks: testSinks, environment: environment, files: MemoryFiles(all)
    ).load("office.yaml")
}

/// One line for each problem.
func summaries(
    _ main: String, environment: [String: String] = [:], files: [String: String] = [:]
) -> [String] {
    load(main, environment: environment, files: files).report.diagnostics.map(\.summary)
}
