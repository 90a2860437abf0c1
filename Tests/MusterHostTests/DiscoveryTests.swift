import DeviceKit
import DeviceKitTesting
import Synchronization
import Testing

@testable import MusterHost

@Suite("Finding devices")
struct DiscoveryTests {
    @Test(
        "ranges of addresses",
        arguments: [
            ("192.168.1.0/30", ["192.168.1.1", "192.168.1.2"], true), ("10.0.0.4/31", ["10.0.0.4", "10.0.0.5"], true),
            ("10.0.0.4", ["10.0.0.4"], true),
            ("172.16.255.254-172.17.0.1", ["172.16.255.254", "172.16.255.255", "172.17.0.0", "172.17.0.1"], true),
            ("8.8.8.8/32", ["8.8.8.8"], false), ("11.255.255.255-12.0.0.0", ["11.255.255.255", "12.0.0.0"], false),
        ])
    func ranges(_ text: String, _ addresses: [String], _ isPrivate: Bool) throws {
        let range = try #require(AddressRange(text))
        #expect(range.addresses == addresses && range.count == addresses.count)
        #expect(range.isPrivate == isPrivate)
    }

    @Test(
        "what is no range",
        arguments: ["", "10.0.0", "10.0.0.256", "10.0.0.1/33", "10.0.0.9-10.0.0.1", "::1", "a/24", "10.0.0.1/"])
    func mistakes(_ text: String) { #expect(AddressRange(text) == nil) }

    @Test("a range that is private at its beginning only is not private")
    func border() throws {
        #expect(try #require(AddressRange("192.168.255.255-192.169.0.0")).isPrivate == false)
        #expect(try #require(AddressRange("0.0.0.0/0")).isPrivate == false)
        #expect(try #require(AddressRange("0.0.0.0/0")).count == 4_294_967_294)
    }

    private func discovery(perSecond: Double = 1_000, concurrency: Int = 4, time: any TimeSource) -> DeviceDiscovery {
        var plan = DeviceDiscovery.Plan(drivers: [DriverRegistration(KnockingDriver.self)])
        plan.perSecond = perSecond
        plan.concurrency = concurrency
        return DeviceDiscovery(plan, time: time) { device in
            DriverContext(
                device: device, timeZone: .utc, time: time, random: SeededRandom(seed: 1), dialer: ScriptedDialer(),
                log: SilentLog())
        }
    }

    @Test("finds what answers, locked ones too, in the order of the addresses")
    func finding() async throws {
        let found = await discovery(time: SystemTime()).run([
            "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5",
        ])
        #expect(found.map(\.endpoint.host) == ["10.0.0.1", "10.0.0.2", "10.0.0.4", "10.0.0.5"])
        #expect(found.map(\.isLocked) == [false, true, false, false])
        #expect(found.map(\.identity.serialNumber) == ["S-10.0.0.1", nil, "S-10.0.0.4", nil])
        // TCP was refused there.
        #expect(found.map(\.endpoint.kind) == [.tcp, .tcp, .udp, .tcp])
        #expect(found[3].note == "busy")
        #expect(found[0].settings == ["address": "10.0.0.1", "way": "tcp"])
        #expect(found[1].credentialsKey == "key")
    }

    @Test("begins no faster than it may, and shows what it has when it is cancelled", .timeLimit(.minutes(1)))
    func pace() async throws {
        let time = ManualTime()
        let discovery = discovery(perSecond: 10, time: time)
        let asked = Mutex(0)
        let work = Task {
            await discovery.run(["10.0.0.1", "10.0.0.3", "10.0.0.1", "10.0.0.1"]) { done, _ in
                asked.withLock { $0 = done }
            }
        }
        // The second address waits its time. Who asks at the first one also has a limit to sleep for, meanwhile.
        while time.timeToNextWake != .milliseconds(100) { await Task.yield() }
        time.advance(by: .milliseconds(100))
        while asked.withLock({ $0 }) < 1 { await Task.yield() }
        while time.timeToNextWake != .milliseconds(100) { await Task.yield() }
        work.cancel()
        let found = await work.value
        #expect(found.map(\.endpoint.host).allSatisfy { $0 == "10.0.0.1" })
        #expect(found.count == 1)
    }

    @Test("routes of the machine")
    func routes() {
        let table = RouteTable(
            """
            Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
            eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
            eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
            wlan0\t0001A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0
            vpn\t0000000A\t0201A8C0\t0000\t0\t0\t0\t000000FF\t0\t0\t0
            broken line
            """)
        #expect(table.way(to: "192.168.1.201") == "directly on eth0")
        #expect(table.way(to: "10.1.1.1") == "through the gateway 192.168.1.1 on eth0")
        #expect(table.way(to: "::1") == nil)
        #expect(RouteTable("").way(to: "10.0.0.1") == nil)
    }

    @Test("every fault that a step can fail with has a remedy")
    func remedies() {
        for code in DeviceFault.Code.allCases {
            let step = ProbeStep(name: ProbeStep.Name.port, outcome: .failed(DeviceFault(code, "x")), duration: .zero)
            #expect(step.remedy?.isEmpty == false)
        }
        #expect(ProbeStep(name: "port", outcome: .passed("x"), duration: .zero).remedy == nil)
    }
}

/// Devices at addresses of a test.
private struct KnockingDriver: Discovering {
    struct Settings: DriverSettings {
        static let address = Setting.host("address", "Where.")
        static let way = Setting.string("way", default: "tcp", "How.")
        static let key = Setting.secret("key", default: Secret(""), "Key.")
        static let schema = SettingsSchema(address, way, key)
        let address: String
        let way: String

        init(_ values: SettingsValues) throws(ConfigurationError) {
            address = try values.value(Self.address)
            way = try values.value(Self.way)
        }
    }

    static let manifest = DriverManifest(
        id: "knocking", version: "1", summary: "For tests.", intakes: [.polling], capabilities: [])
    static let usualEndpoints = [DiscoveryEndpoint(.tcp, port: 1), DiscoveryEndpoint(.udp, port: 2)]
    static let timeoutKey: String? = nil
    static let credentialsKey: String? = "key"

    static func settings(for endpoint: Endpoint) -> [String: String] {
        ["address": endpoint.host, "way": endpoint.kind.rawValue]
    }

    let settings: Settings
    init(settings: Settings, context: DriverContext) throws(DeviceFault) { self.settings = settings }

    func open() async throws(DeviceFault) -> any DeviceSession {
        switch (settings.address, settings.way) {
        case ("10.0.0.1", _), ("10.0.0.4", "udp"):
            return Session(identity: DeviceIdentity(serialNumber: "S-\(settings.address)"))
        case ("10.0.0.2", _): throw DeviceFault(.unauthorised, "locked")
        case ("10.0.0.4", _): throw DeviceFault(.refused, "shut")
        case ("10.0.0.5", _): throw DeviceFault(.busy, "busy")
        default: throw DeviceFault(.timedOut, "nobody")
        }
    }

    private struct Session: DeviceSession {
        let identity: DeviceIdentity
        func close() async {}
    }
}
