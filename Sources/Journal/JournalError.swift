/// Why the journal could not do what it was asked.
public struct JournalError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable {
        /// No room on the disk. Nothing of the entry is stored and nothing may be acknowledged; try again later.
        case full
        /// A write or a sync failed. What is on the disk is unknown until the next start: the process must stop.
        case fatal
        /// Another host owns the data directory, or the directory cannot be used at all.
        case unavailable
        /// The journal was written by a newer version of Muster.
        case newerSchema = "newer-schema"
        /// There is no journal yet.
        case missing
    }

    public let kind: Kind
    /// One sentence with the path and the remedy.
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}
