import DeviceKit
import MusterHost
import Testing

@Suite("Included files")
struct ConfigurationIncludeTests {
    private let device = "{driver: simulator}"

    @Test("a pattern that matches nothing is no mistake, a path that does is one")
    func nothing() {
        #expect(summaries("timezone: UTC\ndevices: {a: \(device)}\ninclude: 'more/*.yaml'") == [])
        #expect(
            summaries("timezone: UTC\ndevices: {a: \(device)}\ninclude: [more.yaml]") == [
                "office.yaml:3:11: error: include[0]: cannot read 'more.yaml': no such file or directory"
            ])
    }

    @Test("mistakes name the included file, after those of the main file")
    func mistakes() {
        #expect(
            summaries(
                "include: ['d/*.yaml']\ntimezone: UTC\ndevices: {a: \(device), x: {driver: nothing}}",
                files: [
                    "d/1.yaml": "devices: {a: \(device)}", "d/2.yaml": "devics: {b: \(device)}\ndata: x",
                    "d/3.yaml": "devices: [", "d/4.yaml": "",
                ]) == [
                    "office.yaml:3:47: error: devices.x.driver: there is no driver 'nothing'",
                    "d/1.yaml:1:11: error: devices.a: the device is configured twice, first at office.yaml:3:11",
                    "d/2.yaml:1:1: error: devics: does not belong in an included file",
                    "d/2.yaml:2:1: error: data: does not belong in an included file",
                    "d/3.yaml:2:1: error: did not find expected node content, while parsing a flow node",
                ])
    }

    @Test("included files are checked even when the main file's own keys are wrong")
    func mainFileWrong() {
        #expect(
            summaries("data: [1]\ninclude: d/1.yaml", files: ["d/1.yaml": "devices: {b: {driver: simulatr}}"]) == [
                "office.yaml:1:7: error: data: expected a text, found a list",
                "d/1.yaml:1:23: error: devices.b.driver: there is no driver 'simulatr'",
            ])
    }

    @Test("a file that two patterns match is read once")
    func overlapping() {
        let loading = load(
            "timezone: UTC\ninclude: ['d/*.yaml', d/1.yaml, office.yaml]",
            files: ["d/1.yaml": "devices: {a: \(device)}"])
        #expect(loading.report.text == "")
        #expect(loading.configuration?.devices.count == 1)
    }

    @Test("devices of two files may not share an address")
    func addresses() {
        let terminal = "driver: zkteco, settings: {address: gate.local}"
        #expect(
            summaries(
                "timezone: UTC\ninclude: d/1.yaml\ndevices: {a: {\(terminal)}}",
                files: ["d/1.yaml": "devices: {b: {\(terminal)}}"]
            ) == [
                "d/1.yaml:1:51: error: devices.b.settings.address: gate.local:4370 is the address of device 'a' too, "
                    + "at office.yaml:3:11"
            ])
    }
}
