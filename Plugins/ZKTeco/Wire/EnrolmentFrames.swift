public import DeviceKit

/// STARTENROLL (61): who, and which finger.
public struct EnrolmentStart: Sendable, Hashable {
    public var code: String
    /// 0...9.
    public var finger: UInt8
    /// 1 valid, 3 duress; not sent over UDP.
    public var flag: UInt8

    public init(code: String, finger: UInt8, flag: UInt8 = 1) {
        self.code = code
        self.finger = finger
        self.flag = flag
    }

    /// 26 bytes: the user id as text, the finger, the flag.
    public var longPayload: [UInt8] {
        var writer = ByteWriter(capacity: 26)
        writer.textField(Array(code.utf8), 24)
        writer.u8(finger)
        writer.u8(flag)
        return writer.bytes
    }

    /// 5 bytes, over UDP: the user id as a number, the finger. `nil` for a user id that is no number.
    public var shortPayload: [UInt8]? {
        guard let number = UInt32(code) else { return nil }
        var writer = ByteWriter(capacity: 5)
        writer.u32(number)
        writer.u8(finger)
        return writer.bytes
    }

    /// Either form, by its length.
    public init(payload: [UInt8]) throws(WireError) {
        var reader = ByteReader(payload)
        if payload.count < 24 {
            code = String(try reader.u32())
            finger = try reader.u8()
            flag = 1
        } else {
            code = try UserCode.text(try reader.textField(24), at: 0)
            finger = try reader.u8()
            flag = reader.remaining > 0 ? try reader.u8() : 1
        }
    }
}

/// The event that ends an enrolment (flag 8).
public struct EnrolmentCompletion: Sendable, Hashable {
    public enum Result: Sendable, Hashable {
        case stored
        case timedOut
        case duplicate
        case other(UInt16)

        public init(_ number: UInt16) {
            switch number {
            case 0: self = .stored
            case 4, 6: self = .timedOut
            case 5: self = .duplicate
            default: self = .other(number)
            }
        }

        public var number: UInt16 {
            switch self {
            case .stored: 0
            case .timedOut: 6
            case .duplicate: 5
            case .other(let number): number
            }
        }
    }

    public var result: Result
    /// Bytes of the template.
    public var templateByteCount: UInt16
    public var code: String
    public var finger: UInt8

    /// Shorter events with this flag report progress, unless they name a failure.
    public static let minimumByteCount = 8
    /// The user id takes 9 to 24 bytes in what was seen.
    private static let shortCodeByteCount = 10

    public init(_ result: Result, templateByteCount: UInt16 = 0, code: String, finger: UInt8) {
        self.result = result
        self.templateByteCount = templateByteCount
        self.code = code
        self.finger = finger
    }

    /// `nil` for an event that only reports progress.
    public init?(payload: [UInt8]) {
        var reader = ByteReader(payload)
        guard let number = try? reader.u16() else { return nil }
        result = Result(number)
        guard payload.count >= Self.minimumByteCount else {
            guard result == .timedOut || result == .duplicate else { return nil }
            (templateByteCount, code, finger) = (0, "", 0)
            return
        }
        templateByteCount = (try? reader.u16()) ?? 0
        let rest = reader.rest()
        code = String(decoding: rest.dropLast().prefix { $0 != 0 }, as: UTF8.self)
        finger = rest.last ?? 0
    }

    public var payload: [UInt8] {
        var writer = ByteWriter()
        writer.u16(result.number)
        writer.u16(templateByteCount)
        writer.textField(
            Array(code.utf8), code.utf8.count < Self.shortCodeByteCount ? Self.shortCodeByteCount : 24)
        writer.u8(finger)
        return writer.bytes
    }
}
