/// What keeps a secret from being read or kept. Never holds one.
public struct SecretError: Error, Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// There is no secret of this name.
        case missing
        /// The key cannot be used: it is missing, another one, or open to others.
        case key
        /// A file is not what was written, or cannot be read or written.
        case file
        /// The value itself cannot be kept.
        case value
    }

    public let kind: Kind
    /// One clause that names the place.
    public let message: String
    /// What to do about it.
    public let hint: String

    init(_ kind: Kind, _ message: String, hint: String) {
        self.kind = kind
        self.message = message
        self.hint = hint
    }
}
