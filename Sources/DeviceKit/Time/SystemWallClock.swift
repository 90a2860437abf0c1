private import Foundation

extension Duration {
    /// Wall time of this machine since 1970-01-01T00:00:00Z.
    static func sinceEpoch() -> Duration {
        .milliseconds(Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down)))
    }
}
