internal import ArgumentParser
internal import DeviceKit
internal import MusterHost

struct Test: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Tests a device step by step and changes nothing on it.",
        discussion: "Terminals that serve one connection only are busy while a host runs on them: stop it first.")

    @OptionGroup var config: ConfigurationOption
    @OptionGroup var log: LogOption
    @OptionGroup var format: FormatOption
    @Argument(help: "The device to test.")
    var device: String

    func run() async throws {
        try await reporting {
            let configuration = try config.load()
            let device = try configuration.device(named: device)
            let (logger, format) = (log.logger, format.format)
            let probe = DeviceProbe(time: SystemTime()) { device in
                DriverContext(
                    device: device.id, timeZone: device.zone, time: SystemTime(), random: SystemRandom(),
                    dialer: SocketDialer(), log: LoggerBridge(logger, "device", device.id.name))
            }
            let steps = await probe.run(device) { step in
                if format == .table { StandardOutput.write(Self.line(step)) }
            }
            if format != .table { StandardOutput.write(Self.listing(steps).text(format)) }
            guard let fault = steps.lazy.compactMap(Self.fault).first else { return }
            throw Failure.code(for: fault)
        }
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
        return "\(padded(step.name, 14))\(padded(result, 9))\(padded(milliseconds, 9))\(PlainText.escaped(detail))\n"
    }

    private static func listing(_ steps: [ProbeStep]) -> Listing {
        var listing = Listing([
            ("step", .init(title: "STEP")), ("result", .init(title: "RESULT")),
            ("milliseconds", .init(title: "MS", isNumber: true)), ("detail", .init(title: "DETAIL", mayShrink: true)),
        ])
        for step in steps {
            let (result, detail) = words(step)
            var json = JSONObjectWriter()
            json.member("step", step.name)
            json.member("result", result)
            json.member("milliseconds", step.duration.wholeMilliseconds)
            json.member("detail", detail)
            listing.add([step.name, result, String(step.duration.wholeMilliseconds), detail], json: json.finish())
        }
        return listing
    }
}
