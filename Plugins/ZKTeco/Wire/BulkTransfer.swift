public import DeviceKit

/// PREPARE_BUFFER (1503): asks the terminal to hold a set ready.
public struct BulkRequest: Sendable, Hashable {
    public var command: UInt16
    public var function: Int32
    public var extra: Int32

    public static let log = BulkRequest(command: Command.logRead, function: 0, extra: 0)
    public static let users = BulkRequest(command: Command.usersRead, function: 5, extra: 0)
    public static let templates = BulkRequest(command: Command.templatesRead, function: 2, extra: 0)
    public static let operations = BulkRequest(command: Command.operationLogRead, function: 0, extra: 0)

    public init(command: UInt16, function: Int32, extra: Int32) {
        self.command = command
        self.function = function
        self.extra = extra
    }

    public init(payload: [UInt8]) throws(WireError) {
        var reader = ByteReader(payload)
        try reader.skip(1)
        command = try reader.u16()
        function = try reader.i32()
        extra = try reader.i32()
    }

    public var payload: [UInt8] {
        var writer = ByteWriter(capacity: 11)
        writer.u8(1)
        writer.u16(command)
        writer.i32(function)
        writer.i32(extra)
        return writer.bytes
    }
}

/// The answer to PREPARE_BUFFER for a set that is read in chunks.
public struct BulkAnnouncement: Sendable, Hashable {
    /// Bytes of the set, its length prefix included.
    public var byteCount: UInt32

    public init(byteCount: UInt32) { self.byteCount = byteCount }

    public init(payload: [UInt8]) throws(WireError) {
        var reader = ByteReader(payload)
        try reader.skip(1)
        byteCount = try reader.u32()
    }

    /// 13 bytes. The meaning of the last four is not known.
    public var payload: [UInt8] {
        var writer = ByteWriter(capacity: 13)
        writer.u8(0)
        writer.u32(byteCount)
        writer.u32(byteCount)
        writer.u32(0x0023_EFCD)
        return writer.bytes
    }
}

/// READ_BUFFER (1504): asks for a chunk of the prepared set.
public struct ChunkRequest: Sendable, Hashable {
    public var start: Int32
    public var byteCount: Int32

    /// The most that public clients ask for over TCP.
    public static let maximumByteCount = 65_472

    public init(start: Int32, byteCount: Int32) {
        self.start = start
        self.byteCount = byteCount
    }

    public init(payload: [UInt8]) throws(WireError) {
        var reader = ByteReader(payload)
        start = try reader.i32()
        byteCount = try reader.i32()
    }

    public var payload: [UInt8] {
        var writer = ByteWriter(capacity: 8)
        writer.i32(start)
        writer.i32(byteCount)
        return writer.bytes
    }
}

/// PREPARE_DATA (1500) from the terminal: how much data follows.
public struct ChunkAnnouncement: Sendable, Hashable {
    public var byteCount: UInt32
    /// The largest payload of one DATA frame; `nil` where the terminal does not say.
    public var frameByteCount: UInt32?

    public init(byteCount: UInt32, frameByteCount: UInt32?) {
        self.byteCount = byteCount
        self.frameByteCount = frameByteCount
    }

    public init(payload: [UInt8]) throws(WireError) {
        var reader = ByteReader(payload)
        byteCount = try reader.u32()
        frameByteCount = reader.remaining >= 4 ? try reader.u32() : nil
    }

    public var payload: [UInt8] {
        var writer = ByteWriter(capacity: 8)
        writer.u32(byteCount)
        if let frameByteCount { writer.u32(frameByteCount) }
        return writer.bytes
    }
}

/// `name=value` texts of OPTIONS_RRQ and OPTIONS_WRQ.
public enum OptionText {
    /// The name as it is asked for: with one NUL.
    public static func request(_ name: String) -> [UInt8] { Array(name.utf8) + [0] }

    /// The text before the first NUL.
    public static func text(_ payload: some Sequence<UInt8>) -> String {
        String(decoding: payload.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Name and value, cut at the first `=`; `nil` without one.
    public static func split(_ payload: some Sequence<UInt8>) -> (name: String, value: String)? {
        let text = text(payload)
        guard let equals = text.firstIndex(of: "=") else { return nil }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }

    /// A text of the terminal without control characters, at most 200 characters; `nil` when nothing is left.
    public static func line(_ text: String) -> String? {
        let kept = text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.prefix(200)
        let line = String(String.UnicodeScalarView(kept))
        return line.isEmpty ? nil : line
    }

    public static func answer(name: String, value: String) -> [UInt8] { Array("\(name)=\(value)".utf8) + [0] }
}
