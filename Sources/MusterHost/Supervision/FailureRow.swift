internal import DeviceKit

/// Failures since the device last served us, and whether an operator was told of them. Part of ``SupervisorMachine``.
struct FailureRow: Sendable {
    private(set) var count = 0
    private(set) var last: DeviceFault?
    private var isAlerted = false

    mutating func add(_ fault: DeviceFault) {
        count += 1
        last = fault
    }

    /// Once for each row, when it has become so long.
    mutating func alert(after limit: Int) -> [SupervisorAction] {
        guard let last, count >= limit, !isAlerted else { return [] }
        isAlerted = true
        return [.alert(failures: count, last)]
    }

    /// The device serves us: what comes is a row of its own.
    mutating func end() { self = FailureRow() }
}
