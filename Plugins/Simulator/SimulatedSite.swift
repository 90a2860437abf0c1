internal import DeviceKit
internal import Synchronization

/// What people did to a simulated terminal from outside, for as long as the program runs. Its log does not depend on it:
/// who is added here never punches.
final class SimulatedSite: Sendable {
    private struct State {
        /// By code; `nil` for somebody who was removed.
        var changes: [String: Person?] = [:]
        var order: [String] = []
        var unlockedUntil: Duration?
        var messages: [Int: String] = [:]
    }

    private let state = Mutex(State())

    /// More people cannot be changed.
    private static let capacity = 10_000
    private static let longestText = 64

    /// Everybody, those who were added at the end.
    func people(_ crew: Crew) -> [Person] {
        state.withLock { state in
            let enrolled = crew.members.compactMap { member in
                state.changes[member.person.code].map { $0 } ?? member.person
            }
            let known = Set(crew.members.map(\.person.code))
            return enrolled + state.order.filter { !known.contains($0) }.compactMap { state.changes[$0] ?? nil }
        }
    }

    func put(_ change: PersonChange, _ crew: Crew) throws(DeviceFault) -> PersonOutcome {
        let known = people(crew).first { $0.code == change.code }
        var person = known ?? Person(code: change.code, name: "")
        guard !change.code.isEmpty, change.code.utf8.count <= Self.longestText,
            (change.name ?? "").utf8.count <= Self.longestText
        else {
            throw DeviceFault(.invalidRequest, "codes and names have at most \(Self.longestText) bytes")
        }
        if let name = change.name { person.name = name }
        if let privilege = change.privilege { person.privilege = privilege }
        if let isEnabled = change.isEnabled { person.isEnabled = isEnabled }
        if let group = change.group { person.group = group }
        if let card = change.card { person.card = if case .set(let number) = card { number } else { nil } }
        try set(person.code, person)
        return known == nil ? .added : .changed
    }

    func remove(_ code: String, _ crew: Crew) throws(DeviceFault) {
        guard people(crew).contains(where: { $0.code == code }) else {
            throw DeviceFault(.notFound, "nobody on the terminal has the code \(code)")
        }
        try set(code, nil)
    }

    private func set(_ code: String, _ person: Person?) throws(DeviceFault) {
        let isStored = state.withLock { state in
            if state.changes[code] == nil {
                guard state.order.count < Self.capacity else { return false }
                state.order.append(code)
            }
            state.changes[code] = .some(person)
            return true
        }
        if !isStored { throw DeviceFault(.rejected, "the terminal is full") }
    }

    // MARK: Door and display

    func unlock(until uptime: Duration) { state.withLock { $0.unlockedUntil = uptime } }

    func isUnlocked(at uptime: Duration) -> Bool {
        state.withLock { $0.unlockedUntil.map { uptime < $0 } ?? false }
    }

    func show(_ text: String, line: Int) throws(DeviceFault) {
        guard (0..<16).contains(line), text.utf8.count <= Self.longestText else {
            throw DeviceFault(.invalidRequest, "a message is at most \(Self.longestText) bytes on lines 0 to 15")
        }
        state.withLock { $0.messages[line] = text }
    }

    func clearMessages() { state.withLock { $0.messages = [:] } }
}
