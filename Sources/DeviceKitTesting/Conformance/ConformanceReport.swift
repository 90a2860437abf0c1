/// One promise of the driver contract, as ``DriverConformance`` tests it.
public enum ConformanceCheck: String, Sendable, Hashable, CaseIterable {
    /// The manifest is complete, and a session can do what it promises, no more and no less.
    case manifest
    /// Every setting has a sentence and an example or a default; what looks like a secret is one.
    case settings
    /// `init` does no I/O and does not wait.
    case pureInit = "pure-init"
    /// Opening and closing many times works each time and leaves no link open.
    case reopening
    /// `close` returns at any time and twice, and what it interrupts ends.
    case closing
    /// A poll from the oldest record gives the whole log, each record once, in order.
    case wholeLog = "whole-log"
    /// Pages of 1, 2, 7 and 1,000 records give the same sequence.
    case pageLimits = "page-limits"
    /// Reading on in a new session from any cursor loses nothing.
    case resuming
    /// The same cursor gives the same records or more.
    case repeating
    /// A cursor that the driver did not make is refused, or reported as a reset.
    case foreignCursor = "foreign-cursor"
    /// Reading clock, inventory, people and keep-alive works and changes nothing.
    case capabilities
    /// Cancelled at any place where it waits, the driver returns, says `cancelled` and closes its link.
    case cancellation
    /// A capture delivers what happens, and a poll finds the same.
    case capturing
    /// A device is acknowledged only after `receive` has returned.
    case acknowledging
}

/// What one check found.
public struct ConformanceResult: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable {
        case passed, failed
        case notApplicable = "not applicable"
    }

    public let check: ConformanceCheck
    public let outcome: Outcome
    /// What was counted or compared, or what went wrong, in one sentence.
    public let evidence: String
}

/// The results of all checks, in the order of ``ConformanceCheck``.
public struct ConformanceReport: Sendable, Hashable, CustomStringConvertible {
    public let driver: String
    public let results: [ConformanceResult]

    public var failures: [ConformanceResult] { results.filter { $0.outcome == .failed } }

    public subscript(_ check: ConformanceCheck) -> ConformanceResult? { results.first { $0.check == check } }

    /// A line for each check.
    public var description: String {
        let width = ConformanceCheck.allCases.map(\.rawValue.count).max() ?? 0
        let lines = results.map { result in
            let name = result.check.rawValue
            let padding = String(repeating: " ", count: max(width - name.count, 0))
            return "\(name)\(padding)  \(result.outcome.rawValue): \(result.evidence)"
        }
        return (["\(driver): \(failures.count) of \(results.count) checks failed"] + lines).joined(separator: "\n")
    }
}

/// Ends a check early.
enum Verdict: Error {
    case failed(String)
    case notApplicable(String)
}
