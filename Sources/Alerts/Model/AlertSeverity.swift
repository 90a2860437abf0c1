/// How much an alert matters.
public enum AlertSeverity: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
    /// Good to know.
    case info
    /// Somebody should look at it in working hours.
    case warning
    /// Punches wait or are lost: now.
    case critical

    public static func < (left: AlertSeverity, right: AlertSeverity) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .info: 0
        case .warning: 1
        case .critical: 2
        }
    }
}
