public import DeviceKit
internal import Synchronization

/// A terminal that exists only in this process: seeded people who come and go on realistic days.
///
/// It needs no network and is the smallest driver to copy. What it holds is a ``SimulatedLog``; this type and its
/// session only add what a driver adds: opening, reading in pages, waiting for the next punch, closing.
public final class SimulatorDriver: DeviceDriver {
    public static let manifest = DriverManifest(
        id: "simulator", version: "1.0.0", summary: "A simulated terminal with seeded people, shifts and faults.",
        intakes: [.polling, .capturing],
        capabilities: [
            .clock, .logInventory, .people, .keepAlive, .details, .counts, .peopleWriting, .door, .voice, .display,
            .power,
        ])

    private let log: SimulatedLog
    private let faults: SimulatedFaults
    private let site = SimulatedSite()
    private let context: DriverContext
    private let refusalsLeft: Mutex<Int>

    public init(settings: SimulatorSettings, context: DriverContext) throws(DeviceFault) {
        log = SimulatedLog(settings.plan(for: context.device, in: context.timeZone))
        faults = settings.faults
        self.context = context
        refusalsLeft = Mutex(settings.faults.refusals)
    }

    public func open() async throws(DeviceFault) -> any DeviceSession {
        if Task.isCancelled { throw .cancelled }
        let isRefused = refusalsLeft.withLock { left in
            defer { left = max(left - 1, 0) }
            return left > 0
        }
        if isRefused { throw DeviceFault(.refused, "the terminal refuses this connection, as its settings say") }
        return SimulatorSession(log: log, faults: faults, site: site, context: context)
    }
}
