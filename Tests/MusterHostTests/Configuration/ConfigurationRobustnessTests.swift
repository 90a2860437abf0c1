import DeviceKit
import MusterHost
import Testing

@Suite("Robustness of the loader")
struct ConfigurationRobustnessTests {
    private func check(_ bytes: [UInt8], _ what: Comment) {
        var files = MemoryFiles(ConfigurationLoaderTests.files)
        files.contents["office.yaml"] = bytes
        let loading = ConfigurationLoader(
            drivers: testDrivers, sinks: testSinks, environment: ConfigurationLoaderTests.environment, files: files
        ).load("office.yaml")
        #expect((loading.configuration == nil) == loading.report.hasErrors, what)
        #expect(loading.report.text.isEmpty == loading.report.diagnostics.isEmpty, what)
    }

    @Test("a file cut at any byte gives a configuration or a message")
    func truncation() {
        let sample = Array(ConfigurationLoaderTests.office.utf8)
        for count in 0...sample.count { check(Array(sample.prefix(count)), "cut at \(count)") }
    }

    @Test("a flipped bit anywhere gives a configuration or a message")
    func bitFlips() {
        let sample = Array(ConfigurationLoaderTests.office.utf8)
        for offset in sample.indices {
            var bytes = sample
            bytes[offset] ^= 1 << UInt8(offset % 7)
            check(bytes, "byte \(offset)")
        }
    }

    @Test("10,000 devices load whole")
    func large() {
        let devices = (0..<10_000).map { number in
            "  d\(number): {driver: zkteco, settings: {address: 10.0.\(number / 250).\(number % 250)}}\n"
        }
        let loading = load("timezone: UTC\ndevices:\n" + devices.joined())
        #expect(loading.report.text == "")
        #expect(loading.configuration?.devices.count == 10_000)
    }
}
