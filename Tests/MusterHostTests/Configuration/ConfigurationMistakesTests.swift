import DeviceKit
import MusterHost
import Testing

@Suite("Mistakes in a configuration")
struct ConfigurationMistakesTests {
    @Test("a file with nineteen mistakes gives nineteen diagnostics, each at its place")
    func manyMistakes() {
        let text = """
            timezone: Asia/Saigon_City
            colour: red
            defaults:
              schedule: {poll: "61 * * * *", window: weekly}
            sinks:
              audit: {type: fil, path: audit.jsonl}
              lake: {type: postgres, url: "${DATABASE_ULR}"}
            devices:
              front-door:
                driver: zktecoo
              lobby:
                driver: zkteco
                drivr: zkteco
                settings:
                  address: 192.168.1.300
                  port: 99999
                  timeout: 10
                sinks: [audit, lak]
              lobby:
                driver: simulator
              gate:
                driver: zkteco
                settings: {address: 10.0.0.1, port: 4370}
                enabled: yes
              garage:
                driver: zkteco
                settings: {address: 10.0.0.1}
              yard:
                driver: simulator
                settings: [people, 50]
              "bad name":
                driver: simulator
              shed:
                name: Shed
              hall:
                driver: zkteco
                settings: {port: 4370}
            """
        #expect(
            summaries(text, environment: ["DATABASE_URL": "x"]) == [
                "office.yaml:1:11: error: timezone: 'Asia/Saigon_City' is not a time zone of the IANA database",
                "office.yaml:2:1: error: colour: is not a known key",
                "office.yaml:4:20: error: defaults.schedule.poll: minute: 61 is outside 0…59",
                "office.yaml:4:42: error: defaults.schedule.window: 'weekly' is not all, today or 1d…9999d",
                "office.yaml:6:17: error: sinks.audit.type: there is no sink type 'fil'",
                "office.yaml:7:31: error: sinks.lake.url: the environment variable 'DATABASE_ULR' is not set",
                "office.yaml:10:13: error: devices.front-door.driver: there is no driver 'zktecoo'",
                "office.yaml:13:5: error: devices.lobby.drivr: is not a known key",
                "office.yaml:15:16: error: devices.lobby.settings.address: '192.168.1.300' is not a host name or address",
                "office.yaml:16:13: error: devices.lobby.settings.port: 99999 is outside 1…65535",
                "office.yaml:17:16: error: devices.lobby.settings.timeout: 10 has no unit",
                "office.yaml:18:20: error: devices.lobby.sinks[1]: there is no sink 'lak'",
                "office.yaml:19:3: error: devices.lobby: the key is given twice, first in line 11",
                "office.yaml:24:14: error: devices.gate.enabled: expected true or false, found 'yes'",
                "office.yaml:27:25: error: devices.garage.settings.address: 10.0.0.1:4370 is the address of device "
                    + "'gate' too, at office.yaml:21:3",
                "office.yaml:30:15: error: devices.yard.settings: expected keys and values, found a list",
                "office.yaml:31:3: error: devices.bad name: 'bad name' cannot name a device",
                "office.yaml:33:3: error: devices.shed: the key 'driver' is missing",
                "office.yaml:37:5: error: devices.hall.settings: the key 'address' is missing",
            ])
    }

    @Test("shows line, caret and suggestion as the design page does")
    func rendering() {
        let text = """
            timezone: UTC
            devices:
              lobby:
                driver: zkteco
                settings:
                  adress: 10.0.0.1
                  port: 99999
            """
        #expect(
            load(text).report.text == """
                office.yaml:6:7: error: devices.lobby.settings.adress: is not a known key
                          adress: 10.0.0.1
                          ^
                    hint: did you mean 'address'?
                office.yaml:7:13: error: devices.lobby.settings.port: 99999 is outside 1…65535
                          port: 99999
                                ^
                2 errors
                """)
    }

    @Test(
        "names each mistake once",
        arguments: [
            ("", "office.yaml:1:1: warning: no devices are configured"),
            ("[1]", "office.yaml:1:1: error: expected keys and values, found a list"),
            ("devices: {a: 1}", "office.yaml:1:14: error: devices.a: expected keys and values, found '1'"),
            (
                "devices: {a: {driver: simulator}}",
                "office.yaml:1:11: warning: devices.a: no time zone is set: the clock of the device is read as UTC"
            ),
            (
                "timezone: UTC\ndevices: {a: {driver: simulator, settings: {people: '7'}}}",
                #"office.yaml:2:53: error: devices.a.settings.people: expected a whole number 1…10000, found the text "7""#
            ),
            (
                "timezone: PKT\ndevices: {a: {driver: simulator}}",
                "office.yaml:1:11: error: timezone: 'PKT' is not a time zone of the IANA database"
            ),
            (
                "timezone: UTC\nsinks: {x: {type: file, path: p}}\ndevices: {a: {driver: simulator}}",
                "office.yaml:2:9: warning: sinks.x: no device delivers to this sink"
            ),
            (
                "timezone: UTC\nsinks: {x: {}}\ndevices: {a: {driver: simulator, sinks: [x]}}",
                "office.yaml:2:9: error: sinks.x: the key 'type' is missing"
            ),
            (
                "timezone: UTC\nhttp: {listen: 8080}\ndevices: {a: {driver: simulator}}",
                "office.yaml:2:16: error: http.listen: '8080' is not an address and a port"
            ),
            (
                "timezone: UTC\ndevices: {a: {driver: simulator, name: }}",
                "office.yaml:2:40: error: devices.a.name: has no value"
            ),
            (
                "timezone: UTC\ndevices: {a: {driver: zkteco, settings: {address: localhost, port: 1}}}",
                "office.yaml:2:68: error: devices.a.settings.port: port 1 of localhost is no terminal"
            ),
            (
                "timezone: UTC\ndefaults: {lifecycle: {reconnect_base: 10m}}\ndevices: {a: {driver: simulator}}",
                "office.yaml:2:40: error: defaults.lifecycle.reconnect_base: reconnect_ceiling (5m) is shorter than "
                    + "reconnect_base (10m)"
            ),
            (
                "timezone: UTC\ndevices: {a: {driver: zkteco, settings: {address: a, password: 77}}}",
                "office.yaml:2:64: warning: devices.a.settings.password: a secret stands in the file in clear"
            ),
            ("a: [", "office.yaml:2:1: error: did not find expected node content, while parsing a flow node"),
        ])
    func single(text: String, expected: String) { #expect(summaries(text) == [expected]) }

    @Test("a file that is not there is named with the reason")
    func missingFile() {
        let loader = ConfigurationLoader(
            drivers: testDrivers, sinks: testSinks, environment: [:], files: MemoryFiles([:]))
        #expect(
            loader.load("no.yaml").report.text == """
                no.yaml: error: cannot be read: no such file or directory
                    hint: muster init writes a starter configuration
                1 error
                """)
    }

    @Test("two devices may share an address when one of them is disabled, or when their ports differ")
    func sharedAddresses() {
        let text = """
            timezone: UTC
            devices:
              a: {driver: zkteco, settings: {address: Gate.local}}
              b: {driver: zkteco, settings: {address: gate.LOCAL, port: 4371}}
              c: {driver: zkteco, enabled: false, settings: {address: gate.local}}
            """
        #expect(summaries(text) == [])
        #expect(summaries(text.replacing("4371", with: "4370")).count == 1)
    }

    @Test("never prints a secret, not even for another mistake in its line")
    func secrets() {
        let report = load(
            "timezone: UTC\ndevices: {a: {driver: zkteco, settings: {address: 'x y', password: hunter2, port: 0}}}"
        ).report
        #expect(report.diagnostics.count == 3)
        #expect(!report.text.contains("hunter2"))
        #expect(!report.json.contains("hunter2"))
        #expect(report.text.contains("password: ********"))
    }

    @Test("a thousand problems are shown, and how many more there are")
    func manyProblems() {
        let report = load("timezone: UTC\n" + (0..<1_500).map { "k\($0): 1\n" }.joined()).report
        #expect(report.diagnostics.count == 1_001)
        #expect(report.diagnostics.last?.summary == "office.yaml: error: 500 more problems are not shown")
    }

    @Test("editors get every problem as JSON")
    func json() {
        #expect(
            load("timezone: UTC\ndevices: {a: {driver: simulatr}}").report.json == """
                [
                  {"file":"office.yaml","line":2,"column":23,"severity":"error","code":"unknown-name",\
                "path":"devices.a.driver","message":"there is no driver 'simulatr'","hint":"did you mean 'simulator'?"}
                ]
                """)
        #expect(load(ConfigurationLoaderTests.office.replacing("include", with: "# ")).report.hasErrors)
        #expect(load("timezone: UTC\ndevices: {a: {driver: simulator}}").report.json == "[]")
    }
}
