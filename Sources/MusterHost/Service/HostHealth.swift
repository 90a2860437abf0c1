public import DeviceKit
internal import Journal
internal import Synchronization

/// How the host itself is, whatever its devices and sinks do.
public final class HostHealth: HostObserver {
    public struct State: Sendable, Hashable {
        /// Every part has answered once.
        public var isStarted = false
        public var isStopping = false
        /// Parts that did not answer when they were last asked.
        public var silent: [String] = []
        /// Why nothing can be taken from devices now; `nil` when it can.
        public var journalProblem: String?

        /// The program works; a restart would not help.
        public var isAlive: Bool { silent.isEmpty }

        /// Why the host does not do its work now, for people; empty when it does.
        public var problems: [String] {
            var problems = silent.map { "\($0) does not answer" }
            if !isStarted { problems.append("the host is starting") }
            if isStopping { problems.append("the host is stopping") }
            if let journalProblem { problems.append(journalProblem) }
            return problems
        }
    }

    private let current = Mutex(State())

    public init() {}

    public var state: State { current.withLock { $0 } }

    func update(_ change: (inout State) -> Void) { current.withLock { change(&$0) } }

    public func observe(_ event: HostEvent, at instant: Instant) {
        guard case .journal(let event) = event else { return }
        switch event {
        case .diskFull: set("the disk is full: nothing is acknowledged until there is room")
        case .hasRoom: set(nil)
        case .quota(let level): set(level == .full ? "the journal has reached its quota: devices are not read" : nil)
        case .failed(let message): set(message)
        case .forgotUndelivered: break
        }
    }

    private func set(_ problem: String?) { update { $0.journalProblem = problem } }
}

extension HostHealth {
    /// What nothing works without: the journal's writer, and every device's supervisor.
    static func parts(_ journal: PunchJournal, _ fleet: Fleet) -> [Liveness.Part] {
        let writer = Liveness.Part(name: "journal") {
            // A journal that refuses answers, too: what that means is decided where punches are written.
            try? await journal.ping()
        }
        return [writer]
            + fleet.supervisors.map { supervisor in
                Liveness.Part(name: "device \(supervisor.device.id)") { await supervisor.ping() }
            }
    }

    /// `3 of 4 devices are connected; lobby: clock-off`
    static func summary(_ devices: [DeviceReport]) -> String {
        let enabled = devices.filter(\.isEnabled)
        let connected = enabled.count { $0.isConnected }
        let troubled = enabled.filter { !$0.conditions.isEmpty }.prefix(3).map { report in
            "\(report.device): \(report.conditions.all.map(\.code.rawValue).joined(separator: ", "))"
        }
        return (["\(connected) of \(enabled.count) devices are connected"] + troubled).joined(separator: "; ")
    }
}
