public import DeviceKit
internal import Synchronization

/// Where the loader finds what `${secret:name}` stands for.
public protocol SecretSource: Sendable {
    func value(of name: String) throws(SecretProblem) -> Secret
    /// Files whose change may change values.
    var files: [String] { get }
}

/// Why a secret cannot be put in. Never holds one.
public struct SecretProblem: Error, Sendable, Hashable {
    /// A stable name, for example `missing-secret`.
    public let code: String
    public let message: String
    public let hint: String

    public init(code: String, message: String, hint: String) {
        self.code = code
        self.message = message
        self.hint = hint
    }
}

/// Takes secrets out of texts that leave the program: a last net under the types that redact themselves.
public final class Redactor: Sendable {
    /// A shorter secret, such as a comm key `0`, would tear holes into innocent words.
    static let shortest = 6

    /// The longest first: a secret may be a part of another.
    private let texts = Mutex<[String]>([])

    public init(_ secrets: [Secret] = []) { learn(secrets.map { $0.reveal() }) }

    /// Knows the other's secrets as well, from now on: those of a configuration that was reloaded.
    func learn(_ other: Redactor) { learn(other.texts.withLock { $0 }) }

    private func learn(_ secrets: [String]) {
        let long = secrets.filter { $0.utf8.count >= Self.shortest }
        texts.withLock { texts in
            texts = Set(texts + long).sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
        }
    }

    public func callAsFunction(_ text: String) -> String {
        texts.withLock { $0 }.reduce(text) { Self.without($1, $0) }
    }

    /// A message may be cut in the middle of a secret: so much of its beginning tells too much already.
    private static let telling = 12

    private static func without(_ secret: String, _ text: String) -> String {
        let head = secret.prefix(telling)
        var result = ""
        var rest = text[...]
        while let found = rest.firstRange(of: head) {
            result += rest[..<found.lowerBound] + "<redacted>"
            var place = found.lowerBound
            for letter in secret {
                guard place < rest.endIndex, rest[place] == letter else { break }
                place = rest.index(after: place)
            }
            rest = rest[place...]
        }
        return result + rest
    }

    /// A target may send back what it was sent.
    func callAsFunction(_ fault: SinkFault) -> SinkFault {
        SinkFault(fault.kind, self(fault.message), retryAfter: fault.retryAfter)
    }

    func callAsFunction(_ delivery: Delivery) -> Delivery {
        Delivery(rejected: delivery.rejected.map { .init(position: $0.position, reason: self($0.reason)) })
    }
}
