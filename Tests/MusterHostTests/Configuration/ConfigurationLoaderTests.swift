import DeviceKit
import MusterHost
import Testing

@Suite("ConfigurationLoader")
struct ConfigurationLoaderTests {
    static let office = """
        data: ./muster-data
        timezone: Asia/Ho_Chi_Minh
        http: {listen: 127.0.0.1:8080}
        include: devices.d/*.yaml
        defaults:
          schedule: {poll: "*/10 * * * *", window: all, capture: true}
          lifecycle: {keep_alive_idle: 30s}
        sinks:
          warehouse: {type: postgres, url: "${DATABASE_URL}"}
          audit: {type: file, path: "audit/{device}-{date}.jsonl"}
        devices:
          front-door:
            name: Main Office Device
            location: Building A - Main Entrance
            driver: zkteco
            settings: {address: 192.168.1.100, port: 4370, password: "${file:front-door.key}"}
            schedule: {poll: "*/5 * * * *", window: today}
            sinks: [warehouse, audit, audit]
          lobby:
            driver: simulator
            timezone: Europe/Berlin
            enabled: false
            settings: {people: 50, rate: 2/min, seed: 7}
            lifecycle: {alert_after: 2}
        """
    static let environment = ["DATABASE_URL": "postgres://localhost/punches"]
    static let files = [
        "front-door.key": "1234\n",
        "devices.d/b.yaml": "devices: {gate: {driver: zkteco, settings: {address: gate.local}}}",
        "devices.d/a.yaml": "devices:\n  yard: {driver: simulator, schedule: {window: 7d}}",
        "devices.d/notes.txt": "not: [yaml",
    ]

    private func office() throws -> HostConfiguration {
        let loading = load(Self.office, environment: Self.environment, files: Self.files)
        #expect(loading.report.text == "")
        return try #require(loading.configuration)
    }

    @Test("reads everything that the design page shows")
    func everything() throws {
        let configuration = try office()
        #expect(configuration.dataDirectory == "muster-data")
        #expect(configuration.baseDirectory == ".")
        #expect(configuration.http.listen.description == "127.0.0.1:8080")
        #expect(configuration.files == ["office.yaml", "devices.d/a.yaml", "devices.d/b.yaml"])
        #expect(configuration.sinks.map(\.name) == ["warehouse", "audit"])
        #expect(configuration.sinks.map(\.registration.manifest.id) == ["postgres", "file"])
        #expect(configuration.devices.map(\.id.name) == ["front-door", "lobby", "yard", "gate"])
        let door = try #require(configuration.devices.first)
        #expect(door.name == "Main Office Device")
        #expect(door.location == "Building A - Main Entrance")
        #expect(door.zone.identifier == "Asia/Ho_Chi_Minh")
        #expect(door.isEnabled)
        #expect(door.sinks == ["warehouse", "audit"])
        #expect(try door.settings.value(TerminalDriver.Settings.password).reveal() == "1234")
    }

    @Test("fills in the defaults of the file, then those of the product")
    func defaults() throws {
        let devices = try office().devices
        #expect(devices.map(\.schedule.poll.text) == ["*/5 * * * *", "*/10 * * * *", "*/10 * * * *", "*/10 * * * *"])
        #expect(devices.map(\.schedule.window) == [.today, .all, .days(7), .all])
        #expect(devices.map(\.schedule.isCapturing) == [true, true, true, true])
        #expect(devices.map(\.lifecycle.keepAliveIdle) == Array(repeating: .seconds(30), count: 4))
        #expect(devices.map(\.lifecycle.alertAfter) == [5, 2, 5, 5])
        #expect(devices[1].name == "lobby")
        #expect(devices[1].zone.identifier == "Europe/Berlin")
        #expect(devices[1].isEnabled == false)
        #expect(devices[1].sinks == [])
        let plain = load("timezone: UTC\ndevices: {a: {driver: simulator}}").configuration
        #expect(plain?.devices.first?.lifecycle == LifecycleTimers())
        #expect(plain?.devices.first?.schedule.poll.text == "*/5 * * * *")
        #expect(plain?.dataDirectory == "muster-data")
    }

    @Test("devices without sinks deliver to the default sinks; an empty list is a choice")
    func defaultSinks() {
        let configuration = load(
            """
            timezone: UTC
            sinks: {audit: {type: file, path: a}}
            defaults: {sinks: [audit]}
            devices: {a: {driver: simulator}, b: {driver: simulator, sinks: []}}
            """
        ).configuration
        #expect(configuration?.devices.map(\.sinks) == [["audit"], []])
    }

    @Test("a registration makes the driver with the decoded settings")
    func registration() throws {
        let door = try #require(try office().devices.first)
        let context = DriverContext(
            device: door.id, timeZone: door.zone, time: SystemTime(), random: SystemRandom(), dialer: NoDialer(),
            log: SilentLog())
        let driver = try #require(try door.driver.make(door.settings, context: context) as? TerminalDriver)
        #expect(driver.settings.address == "192.168.1.100")
        #expect(driver.settings.password.reveal() == "1234")
    }

    @Test("paths start at the file that names them")
    func paths() throws {
        let loader = ConfigurationLoader(
            drivers: testDrivers, sinks: testSinks, environment: [:],
            files: MemoryFiles([
                "/etc/muster/muster.yaml": "timezone: UTC\ninclude: [more.yaml, 'd/*.yaml']",
                "/etc/muster/more.yaml": "devices: {a: {driver: simulator, name: '${file:keys/name}'}}",
                "/etc/muster/keys/name": "Anna",
                "/etc/muster/d/x.yaml": "devices: {b: {driver: simulator, name: '${file:name}'}}",
                "/etc/muster/d/name": "Bert",
            ]))
        let configuration = try #require(loader.load("/etc/muster/muster.yaml").configuration)
        #expect(configuration.dataDirectory == "/etc/muster/muster-data")
        #expect(configuration.baseDirectory == "/etc/muster/")
        #expect(configuration.devices.map(\.name) == ["Anna", "Bert"])
    }

    @Test("equal settings are equal wherever they stand, for the comparison of two loads")
    func comparison() throws {
        let moved = load("# a comment\n" + Self.office, environment: Self.environment, files: Self.files)
        let left = try office().devices.map(\.settings)
        #expect(moved.configuration?.devices.map(\.settings) == left)
        let changed = Self.office.replacing("192.168.1.100", with: "192.168.1.101")
        let right = load(changed, environment: Self.environment, files: Self.files).configuration?.devices.map(
            \.settings)
        #expect(right != left)
    }
}

private struct NoDialer: Dialer {
    func connect(to endpoint: Endpoint, timeout: Duration) async throws(DeviceFault) -> any Transport {
        throw DeviceFault(.unreachable, "there is no network")
    }
}
