internal import ArgumentParser
internal import DeviceKit
internal import Journal
internal import MusterHost

struct Test: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Tests a device step by step and changes nothing on it.",
        discussion: """
            From the name to a live event, with the time of each step, and what to do about one that fails. Where a host \
            runs and has the device, the test goes through it, because many terminals serve one connection only; --direct \
            connects all the same.
            """)

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var log: LogOption
    @OptionGroup var format: FormatOption
    @Argument(help: "The device to test.")
    var device: String
    @Option(help: "How long to wait for somebody to punch; without it the subscription is enough.")
    var live = DurationArgument(.zero)
    @Flag(help: "Connect to the device although a running host has it.")
    var direct = false

    func run() async throws {
        try await reporting {
            let loaded = try config.loadWhole()
            let configuration = loaded.configuration
            let device = try configuration.device(named: device)
            let isTable = format.format == .table
            let report = { @Sendable (step: ProbeStep) async in
                if isTable { StandardOutput.write(Self.line(step)) }
            }
            let steps = try await steps(loaded, device, report)
            if !isTable { StandardOutput.write(Self.listing(steps).text(format.format)) }
            guard let fault = steps.lazy.compactMap(Self.fault).first else { return }
            throw Failure.code(for: fault)
        }
    }

    private func steps(
        _ loaded: LoadedConfiguration, _ device: HostConfiguration.Device,
        _ report: @escaping @Sendable (ProbeStep) async -> Void
    ) async throws -> [ProbeStep] {
        let time = SystemTime()
        let configuration = loaded.configuration
        // A device that was never met has none.
        let status = try? await config.reader(configuration).status(for: device.id)
        if !direct, device.isEnabled, let hosted = await HostedProbe(configuration, time: time) {
            return await hosted.run(device, status, report: report)
        }
        let logger = log.process(loaded).logger
        let drivers = DriverServices(time: time, log: logger)
        let probe = DeviceProbe(time: time) { drivers.context(for: $0) }
        return await probe.run(device, accepted: status?.acceptedSerial, live: live.duration, report: report)
    }

    private static func fault(_ step: ProbeStep) -> DeviceFault? {
        if case .failed(let fault) = step.outcome { return fault }
        return nil
    }

    private static func words(_ step: ProbeStep) -> (result: String, detail: String) {
        switch step.outcome {
        case .passed(let detail): ("ok", detail)
        case .skipped(let reason): ("skipped", reason)
        case .failed(let fault): ("failed", fault.message)
        }
    }

    private static func line(_ step: ProbeStep) -> String {
        let (result, detail) = words(step)
        let milliseconds = "\(step.duration.wholeMilliseconds) ms"
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        let line =
            "\(padded(step.name, 14))\(padded(result, 9))\(padded(milliseconds, 9))\(PlainText.escaped(detail))\n"
        guard let remedy = step.remedy else { return line }
        return line + String(repeating: " ", count: 32) + "→ \(remedy)\n"
    }

    private static func listing(_ steps: [ProbeStep]) -> Listing {
        var listing = Listing([
            ("step", .init(title: "STEP")), ("result", .init(title: "RESULT")),
            ("milliseconds", .init(title: "MS", isNumber: true)), ("detail", .init(title: "DETAIL", mayShrink: true)),
            ("remedy", .init(title: "REMEDY", mayShrink: true)),
        ])
        for step in steps {
            let (result, detail) = words(step)
            var json = JSONObjectWriter()
            json.member("step", step.name)
            json.member("result", result)
            json.member("milliseconds", step.duration.wholeMilliseconds)
            json.member("detail", detail)
            json.member("remedy", step.remedy)
            listing.add(
                [step.name, result, String(step.duration.wholeMilliseconds), detail, step.remedy ?? ""],
                json: json.finish())
        }
        return listing
    }
}
