/// Which way a punch goes, as the terminal says it. The raw number is always kept: terminals define their own.
public struct Direction: Sendable, Hashable {
    /// The words of the field; `unknown` where the terminal's number has none of these meanings.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case `in`, out, breakIn, breakOut, overtimeIn, overtimeOut, unknown
    }

    public let kind: Kind
    /// The terminal's own number, for example 255 where no state was chosen.
    public let raw: Int

    public init(_ kind: Kind, raw: Int) {
        self.kind = kind
        self.raw = raw
    }
}

/// How a person proved to be the one. The raw number is always kept: its meaning differs by model.
public struct Verification: Sendable, Hashable {
    /// The words of the field; `combination` is two or more together, `unknown` any other number.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case password, fingerprint, card, face, palm, vein, combination, mobile, unknown
    }

    public let kind: Kind
    /// The terminal's own number.
    public let raw: Int

    public init(_ kind: Kind, raw: Int) {
        self.kind = kind
        self.raw = raw
    }
}
