internal import FleetSimulation
internal import Foundation

// simulate [FIRST] COUNT: so many seeds from the first on (1), on all cores; prints what was run, and each violation with
// its seed. Exit code 1 when there is any.
let numbers = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
let first = numbers.count > 1 ? numbers[0] : 1
let count = numbers.last ?? 10
let start = Date()
let lock = NSLock()
nonisolated(unsafe) var reports: [FleetSimulation.Report] = []
// Guarded by the lock; each seed runs in one thread by itself.
DispatchQueue.concurrentPerform(iterations: Int(count)) { index in
    let report = FleetSimulation(FleetSimulation.Options(seed: first + UInt64(index))).run()
    lock.withLock {
        reports.append(report)
        for violation in report.violations { print(violation) }
    }
}
func sum(_ key: KeyPath<FleetSimulation.Report, Int>) -> Int { reports.reduce(0) { $0 + $1[keyPath: key] } }
let seconds = Date().timeIntervalSince(start)
print(
    """
    seeds \(first)…\(first + count - 1): 500 devices for 30 days each, in \(Int(seconds)) s
    \(sum(\.eventCount)) events, \(sum(\.faultCount)) faults, \(sum(\.restartCount)) restarts of the host
    \(sum(\.suspensionCount)) suspensions, \(sum(\.heldCount)) looks at replaced devices, \(sum(\.clockSetCount)) clocks set
    \(sum(\.punchCount)) punches, \(sum(\.journaledCount)) in the journal, \(sum(\.duplicateCount)) came again, \(sum(\.lostCount)) lost by \
    terminals within gaps that were told
    \(reports.count { !$0.violations.isEmpty }) seeds with violations
    """)
exit(reports.allSatisfy(\.violations.isEmpty) ? 0 : 1)
