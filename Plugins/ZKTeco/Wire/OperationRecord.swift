public import DeviceKit

/// One entry of a terminal's operation log: 16 bytes.
public struct OperationRecord: Sendable, Hashable {
    /// Who did it; 0 for nobody.
    public var administrator: UInt16
    public var operation: UInt8
    /// Not known what it means.
    public var unknown: UInt8
    public var time: LocalDateTime
    /// Four numbers; the first is often the person concerned.
    public var parameters: [UInt16]

    public static let byteCount = 16

    public init(
        administrator: UInt16 = 0, operation: UInt8, unknown: UInt8 = 0, time: LocalDateTime, parameters: [UInt16] = []
    ) {
        self.administrator = administrator
        self.operation = operation
        self.unknown = unknown
        self.time = time
        self.parameters = Array((parameters + [0, 0, 0, 0]).prefix(4))
    }

    /// - Throws: ``WireError`` for a wrong length or a time that is no date.
    public init(bytes: ArraySlice<UInt8>) throws(WireError) {
        guard bytes.count == Self.byteCount else {
            throw WireError("an operation has 16 bytes, this has \(bytes.count)")
        }
        var reader = ByteReader(bytes)
        administrator = try reader.u16()
        operation = try reader.u8()
        unknown = try reader.u8()
        let value = try reader.u32()
        guard let time = PackedTime.decode(value) else { throw WireError("the time \(value) is no date", at: 4) }
        self.time = time
        parameters = [try reader.u16(), try reader.u16(), try reader.u16(), try reader.u16()]
    }

    public var bytes: [UInt8] {
        var writer = ByteWriter(capacity: Self.byteCount)
        writer.u16(administrator)
        writer.u8(operation)
        writer.u8(unknown)
        writer.u32(PackedTime.encode(time))
        for parameter in parameters.prefix(4) { writer.u16(parameter) }
        writer.zeros(Self.byteCount - writer.count)
        return writer.bytes
    }

    /// In words, after the vendor's manual; `nil` for a number that it does not have.
    public static func name(_ operation: UInt8) -> String? { names[operation] }

    private static let names: [UInt8: String] = [
        0: "power on", 1: "power off", 2: "alarm after failed verification", 3: "tamper alarm", 4: "enter the menu",
        5: "change an option", 6: "enrol a finger", 7: "enrol a password", 8: "enrol a card", 9: "delete a person",
        10: "delete a finger", 11: "delete a password", 12: "delete a card", 13: "clear data", 14: "card function",
        15: "card function", 16: "card function", 17: "card function", 18: "card function", 19: "card function",
        20: "copy from a card", 21: "set the clock", 22: "factory reset", 23: "clear the attendance log",
        24: "clear administrators", 25: "change access settings", 26: "change access settings",
        27: "change access settings", 28: "change access settings", 29: "unlock the door", 30: "enrol a person",
    ]
}
