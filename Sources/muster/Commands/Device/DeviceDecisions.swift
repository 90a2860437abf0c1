internal import ArgumentParser
internal import DeviceKit
internal import Journal
internal import MusterHost

struct DeviceAccept: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "accept", abstract: "Accepts what is there now: another device at the address, a gap in its log.",
        discussion:
            "muster status shows what there is to accept. A device with another serial number is held until then.")

    @OptionGroup var common: DeviceCommonOptions

    func run(on target: DeviceTarget) async throws {
        let isDone = try await target.decide(.accept)
        target.report(
            "\(target.device.id): \(isDone ? "accepted" : "there was nothing to accept")", ["changed": .bool(isDone)])
    }
}

struct DeviceResume: DeviceVerb {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Tries it now, whatever it waits for, and takes capture up again.")

    @OptionGroup var common: DeviceCommonOptions

    func run(on target: DeviceTarget) async throws {
        let isDone = try await target.decide(.resume)
        target.report(
            "\(target.device.id): \(isDone ? "resumed" : "there was nothing to resume")", ["changed": .bool(isDone)])
    }
}

extension DeviceTarget {
    /// Through the running host where there is one, else into the journal.
    /// - Returns: whether there was anything to decide.
    fileprivate func decide(_ decision: DeviceDecision) async throws -> Bool {
        let directory = DataDirectory(path: configuration.dataDirectory)
        do throws(ControlClient.Failure) {
            return try await ControlClient(directory).decide(decision, of: device.id)
        } catch {
            if case .refused(let reason) = error { throw Failure(Exit.unavailable, reason) }
        }
        return try await decision.write(device, to: try PunchJournal(directory))
    }
}
