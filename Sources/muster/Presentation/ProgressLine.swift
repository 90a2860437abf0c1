internal import DeviceKit
internal import MusterHost
internal import Synchronization

/// One line on a person's terminal that shows how far a long read has come.
final class ProgressLine: Sendable {
    private struct State {
        var lastShown: Duration?
        var isShown = false
    }

    private let title: String
    private let time: any TimeSource
    private let start: Duration
    private let state = Mutex(State())

    private static let interval = Duration.milliseconds(100)

    init(_ title: String, time: any TimeSource = SystemTime()) {
        self.title = title
        self.time = time
        start = time.uptime()
    }

    /// Punches read, of how many, and how fast. Nothing is written when nobody watches.
    func show(_ progress: PollProgress) {
        guard Terminal.isError else { return }
        let now = time.uptime()
        let isDue = state.withLock { state in
            guard state.lastShown.map({ now - $0 >= Self.interval }) ?? true else { return false }
            state.lastShown = now
            state.isShown = true
            return true
        }
        guard isDue else { return }
        let rate = Double(progress.read) / max((now - start).inSeconds, 0.001)
        let total = progress.total.map { " of \($0)" } ?? ""
        StandardError.write("\r\u{1B}[K\(title): \(progress.read)\(total) records, \(Int(rate))/s")
    }

    /// Takes the line away.
    func clear() {
        if state.withLock({ $0.isShown }) { StandardError.write("\r\u{1B}[K") }
    }
}
