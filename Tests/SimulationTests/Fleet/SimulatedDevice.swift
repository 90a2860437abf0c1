internal import DeviceKit
internal import Journal
internal import MusterHost

/// One device of the fleet: what the host has of it, what hangs on the wall, and the truth.
final class SimulatedDevice {
    /// A punch that really happened.
    struct TruePunch {
        var at: Int64
        var terminal: Int8
        /// The instant that its record names.
        var recorded: Instant
        /// How many rows the journal has of it.
        var rows: Int8 = 0
        /// Its record was deleted before anybody read it.
        var isLost = false
    }

    enum LinkState { case up, refusing, silent, locked, malformed }
    enum Operation { case none, open, page, keepAlive, refresh, setClock }

    let id: DeviceID
    let number: Int32
    let zone: DeviceTimeZone
    let site: Int
    let clock: ClockPlan
    /// With the product's own timers, looked at as often as the real host does.
    let isStandard: Bool
    var plan: SupervisorMachine.Plan

    // The host's side.
    var machine: SupervisorMachine
    var keeper: StatusKeeper
    var journal = ModelJournal()
    /// The status as it stands in the journal.
    var saved: DeviceStatus
    var judge: TimerJudge
    var isEnded = false
    var session: Int32 = 0
    var operation = Operation.none
    var operationToken: Int32 = 0
    var operationBegan: Int64 = 0
    var work: PollWork?
    var pollSample: ClockSample?
    var pollBegan: Int64 = 0
    var isWaitingForTurn = false
    var capturesFrom: Int64?
    var heard: Int64 = 0
    var wakeAt: Int64?
    var wakeToken: Int32 = 0
    var random: SplitMix64
    /// How many sessions were opened; a reload of others must not change it.
    var openCount = 0

    // The wall.
    var terminals: [ModelTerminal]
    var current = 0
    var link = LinkState.up
    var linkFault: Int32 = -1
    /// When the link is up again, as far as is known.
    var silentUntil: Int64 = 0
    var faults: [DeviceFaultEvent]
    var traffic: SplitMix64

    // The truth.
    var truth: [TruePunch] = []
    var records: [PunchRecord] = []
    /// Punches that the journal does not have, of all terminals.
    var pending: [Int32] = []
    /// Records that were deleted unread, and no gap has told of it yet.
    var unreported: [Int32] = []

    init(
        number: Int32, zone: DeviceTimeZone, site: Int, plan: SupervisorMachine.Plan, clock: ClockPlan,
        isStandard: Bool,
        hasClock: Bool, capacity: Int, faults: [DeviceFaultEvent], seed: UInt64, now: Instant
    ) {
        // Letters, a hyphen and digits are a name.
        id = DeviceID("device-\(number)") ?? Self.fallback
        self.number = number
        self.zone = zone
        self.site = site
        self.plan = plan
        self.clock = clock
        self.isStandard = isStandard
        self.faults = faults
        machine = SupervisorMachine(plan)
        keeper = StatusKeeper(id, StatusKeeper.Plan(zone: zone, clock: clock), now: now)
        saved = keeper.status
        judge = TimerJudge(
            timers: plan.timers, isCapturing: plan.isCapturing, schedule: plan.schedule, zone: plan.zone,
            isSuspended: false, at: 0)
        random = SplitMix64(seed: seed)
        traffic = SplitMix64(seed: seed ^ 0x5EED)
        terminals = ["A", "B"].map {
            ModelTerminal(serial: "\($0)\(number)", capacity: capacity, hasClock: hasClock)
        }
    }

    private static let fallback: DeviceID = {
        guard let id = DeviceID("device") else { preconditionFailure("a plain word is no name") }
        return id
    }()

    /// A life begins: of the host, or of the device in a configuration.
    /// - Parameter watch: what the host knows of its clock; nothing at its start.
    func begin(now: Instant, at time: Int64, stored: DeviceStatus, watch: HostClockWatch = HostClockWatch()) {
        var plan = plan
        plan.suspendedSince = stored.isRealtimeEnabled ? nil : stored.realtimeDisabledAt
        machine = SupervisorMachine(plan)
        keeper = StatusKeeper(id, StatusKeeper.Plan(zone: zone, clock: clock), now: now, watch: watch)
        keeper.restore(stored)
        judge = TimerJudge(
            timers: plan.timers, isCapturing: plan.isCapturing, schedule: plan.schedule, zone: plan.zone,
            isSuspended: plan.suspendedSince != nil, at: time)
        isEnded = false
        endSession()
    }

    func endSession() {
        session += 1
        operation = .none
        operationToken += 1
        work = nil
        isWaitingForTurn = false
        capturesFrom = nil
    }

    var acceptedTerminal: Int8? {
        guard let serial = keeper.status.acceptedSerial else { return nil }
        return terminals.firstIndex { $0.serial == serial }.map { Int8(truncatingIfNeeded: $0) }
    }
}
