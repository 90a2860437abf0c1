internal import DeviceKit

/// What goes wrong on order.
struct SimulatedFaults: Sendable, Hashable {
    /// The link breaks this long after it was opened.
    var drop: Duration?
    /// The link goes silent this long after it was opened.
    var silence: Duration?
    /// So many connections are refused at first.
    var refusals = 0
    /// Each so many captured punches the last one comes again; 0 is never.
    var duplicateEvery = 0
    /// Each so many captured punches one comes after its successor; 0 is never.
    var swapEvery = 0

    enum Link: Sendable, Hashable { case working, silent, broken }

    /// What the link is like so long after it was opened.
    func link(after age: Duration) -> Link {
        if let drop, age >= drop { return .broken }
        if let silence, age >= silence { return .silent }
        return .working
    }

    /// How long until the link changes; `nil` when it stays as it is.
    func timeToChange(after age: Duration) -> Duration? {
        [drop, silence].compactMap { $0 }.filter { $0 > age }.min().map { $0 - age }
    }
}

/// Damages the stream of captured punches, never the log: a poll finds everything once and in order.
struct CaptureDamage: Sendable {
    private let faults: SimulatedFaults
    private var count = 0
    /// A punch that waits for its successor.
    private var late: PunchRecord?

    init(_ faults: SimulatedFaults) { self.faults = faults }

    mutating func apply(to records: [PunchRecord]) -> [PunchRecord] {
        records.flatMap { apply(to: $0) }
    }

    private mutating func apply(to record: PunchRecord) -> [PunchRecord] {
        count += 1
        if late == nil, faults.swapEvery > 0, count.isMultiple(of: faults.swapEvery) {
            late = record
            return []
        }
        var sent = [record]
        if let earlier = late.take() { sent.append(earlier) }
        if faults.duplicateEvery > 0, count.isMultiple(of: faults.duplicateEvery) { sent.append(record) }
        return sent
    }
}
