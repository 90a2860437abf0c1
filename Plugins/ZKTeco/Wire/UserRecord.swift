public import DeviceKit

/// One row of a terminal's user table. Passwords are skipped when it is read.
public struct UserRecord: Sendable, Hashable {
    /// The slot, 1...65534; unrelated to the user id on colour terminals.
    public var uid: UInt16
    /// Bit 0: disabled. Bits 1 to 3: 0 user, 1 enroller, 3 manager, 7 administrator.
    public var privilege: UInt8
    /// At most 8 bytes (5 in the form of 28 bytes) of digits. Only for writing.
    public var password: [UInt8]
    /// Bytes in the terminal's code page, NUL removed.
    public var name: [UInt8]
    /// 0 for none.
    public var card: UInt32
    public var group: UInt8
    /// Time zones and what else is kept as it is: the 8 bytes after the group in the form of 72 bytes; the byte before
    /// the group and the 2 after it in the form of 28. Empty for zeros.
    public var access: [UInt8]
    public var code: String

    public init(
        uid: UInt16, privilege: UInt8 = 0, password: [UInt8] = [], name: [UInt8], card: UInt32 = 0, group: UInt8 = 1,
        access: [UInt8] = [], code: String
    ) {
        self.uid = uid
        self.privilege = privilege
        self.password = password
        self.name = name
        self.card = card
        self.group = group
        self.access = access
        self.code = code
    }
}

/// How the rows of a user table are laid out.
public enum UserLayout: Int, Sendable, Hashable, CaseIterable {
    /// Black-and-white terminals: numeric user ids, 8 bytes of name.
    case bytes28 = 28
    /// Colour terminals.
    case bytes72 = 72

    public var byteCount: Int { rawValue }

    /// Reads one row of exactly ``byteCount`` bytes.
    /// - Parameter readsPassword: false leaves ``UserRecord/password`` empty.
    public func decode(_ bytes: ArraySlice<UInt8>, readsPassword: Bool = false) throws(WireError) -> UserRecord {
        guard bytes.count == byteCount else {
            throw WireError("a user has \(byteCount) bytes, this one has \(bytes.count)")
        }
        var reader = ByteReader(bytes)
        let uid = try reader.u16()
        let privilege = try reader.u8()
        let password = try reader.textField(self == .bytes72 ? 8 : 5)
        let name = try reader.textField(self == .bytes72 ? 24 : 8)
        let card = try reader.u32()
        var access: [UInt8] = self == .bytes28 ? [try reader.u8()] : []
        let group = try reader.u8()
        access += try reader.take(self == .bytes72 ? 8 : 2)
        if access.allSatisfy({ $0 == 0 }) { access = [] }
        let offset = reader.offset
        let code =
            self == .bytes72
            ? try UserCode.text(try reader.textField(24), at: offset) : String(try reader.u32())
        return UserRecord(
            uid: uid, privilege: privilege, password: readsPassword ? Array(password) : [], name: Array(name),
            card: card, group: group, access: access, code: code)
    }

    public func encode(_ user: UserRecord) -> [UInt8] {
        var writer = ByteWriter(capacity: byteCount)
        writer.u16(user.uid)
        writer.u8(user.privilege)
        writer.textField(user.password, self == .bytes72 ? 8 : 5)
        writer.textField(user.name, self == .bytes72 ? 24 : 8)
        writer.u32(user.card)
        switch self {
        case .bytes72:
            writer.u8(user.group)
            writer.textField(user.access, 8)
            writer.textField(Array(user.code.utf8), 24)
        case .bytes28:
            writer.u8(user.access.first ?? 0)
            writer.u8(user.group)
            writer.textField(user.access.dropFirst(), 2)
            writer.u32(UInt32(user.code) ?? UInt32(user.uid))
        }
        return writer.bytes
    }
}
