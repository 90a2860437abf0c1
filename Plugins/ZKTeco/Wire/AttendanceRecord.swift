public import DeviceKit

/// One record of a terminal's log, as its bytes say it.
public struct AttendanceRecord: Sendable, Hashable {
    /// The slot in the user table; `nil` in the form of 16 bytes.
    public var uid: UInt16?
    /// The user id that the person types; `nil` in the forms of 8 bytes, where only the slot is there.
    public var code: String?
    public var time: LocalDateTime
    public var verification: UInt8
    public var state: UInt8
    /// `nil` in the forms of 8 bytes.
    public var workCode: UInt32?

    public init(
        uid: UInt16?, code: String?, time: LocalDateTime, verification: UInt8, state: UInt8, workCode: UInt32? = nil
    ) {
        self.uid = uid
        self.code = code
        self.time = time
        self.verification = verification
        self.state = state
        self.workCode = workCode
    }
}

/// How the records of a log are laid out.
public enum RecordLayout: String, Sendable, Hashable, CaseIterable {
    /// uid, verification, time, state: pyzk's reading of 8 bytes.
    case bytes8 = "8"
    /// uid, verification, state, time: MA300, ZEM500 and others.
    case bytes8B = "8b"
    /// u32 user id; black-and-white terminals.
    case bytes16 = "16"
    /// The standard of colour terminals.
    case bytes40 = "40"
    /// The standard and 9 more bytes: visible-light face terminals.
    case bytes49 = "49"
    /// WL10 and AK3750 terminals: 6 bytes of user id. One public source.
    case bytes22 = "22"

    public var byteCount: Int {
        switch self {
        case .bytes8, .bytes8B: 8
        case .bytes16: 16
        case .bytes40: 40
        case .bytes49: 49
        case .bytes22: 22
        }
    }

    /// Reads one record of exactly ``byteCount`` bytes.
    /// - Throws: ``WireError`` for a wrong length, a time that is no date, or a user id that is empty or not text.
    public func decode(_ bytes: ArraySlice<UInt8>) throws(WireError) -> AttendanceRecord {
        guard bytes.count == byteCount else {
            throw WireError("a record has \(byteCount) bytes, this one has \(bytes.count)")
        }
        var reader = ByteReader(bytes)
        switch self {
        case .bytes8: return try Self.decode8(&reader, stateFirst: false)
        case .bytes8B: return try Self.decode8(&reader, stateFirst: true)
        case .bytes16: return try Self.decode16(&reader)
        case .bytes40, .bytes49: return try Self.decode40(&reader)
        case .bytes22: return try Self.decode22(&reader)
        }
    }

    private static func decode8(_ reader: inout ByteReader, stateFirst: Bool) throws(WireError) -> AttendanceRecord {
        let uid = try reader.u16()
        let verification = try reader.u8()
        var state: UInt8 = 0
        if stateFirst { state = try reader.u8() }
        let time = try Self.time(&reader)
        if !stateFirst { state = try reader.u8() }
        return AttendanceRecord(uid: uid, code: nil, time: time, verification: verification, state: state)
    }

    private static func decode16(_ reader: inout ByteReader) throws(WireError) -> AttendanceRecord {
        let code = try reader.u32()
        let time = try Self.time(&reader)
        let verification = try reader.u8()
        let state = try reader.u8()
        try reader.skip(2)
        return AttendanceRecord(
            uid: nil, code: String(code), time: time, verification: verification, state: state,
            workCode: try reader.u32())
    }

    private static func decode40(_ reader: inout ByteReader) throws(WireError) -> AttendanceRecord {
        let uid = try reader.u16()
        let code = try UserCode.text(try reader.textField(24), at: 2)
        let verification = try reader.u8()
        let time = try Self.time(&reader)
        let state = try reader.u8()
        return AttendanceRecord(
            uid: uid, code: code, time: time, verification: verification, state: state, workCode: try reader.u32())
    }

    private static func decode22(_ reader: inout ByteReader) throws(WireError) -> AttendanceRecord {
        let uid = try reader.u16()
        let code = try UserCode.text(try reader.textField(6), at: 2)
        let offset = reader.offset
        guard try reader.take(4).allSatisfy({ $0 == 0 }) else {
            throw WireError("bytes that are always zero", at: offset)
        }
        let verification = try reader.u8()
        let time = try Self.time(&reader)
        return AttendanceRecord(
            uid: uid, code: code, time: time, verification: verification, state: try reader.u8())
    }

    private static func time(_ reader: inout ByteReader) throws(WireError) -> LocalDateTime {
        let offset = reader.offset
        let value = try reader.u32()
        guard let time = PackedTime.decode(value) else {
            throw WireError("the time \(value) is no date", at: offset)
        }
        return time
    }

    /// The record in this layout. What the layout has no room for is left out.
    public func encode(_ record: AttendanceRecord) -> [UInt8] {
        var writer = ByteWriter(capacity: byteCount)
        let time = PackedTime.encode(record.time)
        switch self {
        case .bytes8, .bytes8B:
            writer.u16(record.uid ?? 0)
            writer.u8(record.verification)
            if self == .bytes8B { writer.u8(record.state) }
            writer.u32(time)
            if self == .bytes8 { writer.u8(record.state) }
        case .bytes16:
            writer.u32(record.code.flatMap { UInt32($0) } ?? UInt32(record.uid ?? 0))
            writer.u32(time)
            writer.u8(record.verification)
            writer.u8(record.state)
            writer.zeros(2)
            writer.u32(record.workCode ?? 0)
        case .bytes40, .bytes49:
            writer.u16(record.uid ?? 0)
            writer.textField(Array((record.code ?? "").utf8), 24)
            writer.u8(record.verification)
            writer.u32(time)
            writer.u8(record.state)
            writer.u32(record.workCode ?? 0)
            writer.append([0xFF, 0, 0, 0])
            writer.zeros(byteCount - 40)
        case .bytes22:
            writer.u16(record.uid ?? 0)
            writer.textField(Array((record.code ?? "").utf8), 6)
            writer.zeros(4)
            writer.u8(record.verification)
            writer.u32(time)
            writer.u8(record.state)
            writer.zeros(4)
        }
        return writer.bytes
    }
}

/// What a few firmwares put between records of 40 bytes (a remnant of "255").
public enum RecordFiller {
    public static let bytes: [UInt8] = [0xFF, 0x32, 0x35, 0x35, 0, 0, 0, 0, 0]
}

/// The user id of records and events: text without control characters.
enum UserCode {
    static func text(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(WireError) -> String {
        guard !bytes.isEmpty else { throw WireError("the user id is empty", at: offset) }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), let text = String(validating: bytes, as: UTF8.self) else {
            throw WireError("the user id is not text", at: offset)
        }
        return text
    }
}
