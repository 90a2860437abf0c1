/// Bytes that do not mean what the protocol says they should.
public struct WireError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One sentence: what was expected and what was there.
    public let message: String
    /// Where in the structure, in bytes from its start; `nil` when it is wrong as a whole.
    public let offset: Int?

    public init(_ message: String, at offset: Int? = nil) {
        self.message = message
        self.offset = offset
    }

    public var description: String { offset.map { "\(message) at byte \($0)" } ?? message }
}
