/// Decides when files that change are quiet enough to be read.
///
/// A file that is replaced is whole at once; one that is written in place is whole when its writer closes it, or has
/// paused for long.
struct ChangeSettling: Sendable {
    enum Event: Sendable, Hashable {
        /// Something was written to a file that is still open.
        case written(String)
        /// A file was closed after writing, or came or went whole.
        case settled(String)
    }

    /// After the last change.
    static let quiet = Duration.milliseconds(300)
    /// A writer that pauses for so long is not waited for.
    static let longestPause = Duration.seconds(10)
    /// A file that is written without end is looked at in between.
    static let longestWait = Duration.seconds(60)

    private var first: Duration?
    private var last = Duration.zero
    private var open: Set<String> = []

    /// More open files than this are not told apart.
    private static let openLimit = 10_000

    /// - Parameter uptime: when it happened.
    mutating func note(_ event: Event, at uptime: Duration) {
        first = first ?? uptime
        last = uptime
        switch event {
        case .written(let name): if open.count < Self.openLimit { open.insert(name) }
        case .settled(let name): open.remove(name)
        }
    }

    /// The uptime at which the files are to be looked at; `nil` while nothing changes.
    var deadline: Duration? {
        first.map { min(last + (open.isEmpty ? Self.quiet : Self.longestPause), $0 + Self.longestWait) }
    }

    /// Whether the files are to be looked at now. If so, it begins anew.
    mutating func takeDue(at uptime: Duration) -> Bool {
        guard let deadline, uptime >= deadline else { return false }
        first = nil
        open = []
        return true
    }
}
