public import DeviceKit

/// One fingerprint template of a terminal's table. Opaque, and nothing that may be shown.
public struct TemplateEntry: Sendable, Hashable {
    /// The slot of the person.
    public var uid: UInt16
    /// 0...9.
    public var finger: UInt8
    /// 0 invalid, 1 valid, 3 duress.
    public var flag: UInt8
    public var bytes: [UInt8]

    public init(uid: UInt16, finger: UInt8, flag: UInt8 = 1, bytes: [UInt8]) {
        self.uid = uid
        self.finger = finger
        self.flag = flag
        self.bytes = bytes
    }
}

extension TemplateEntry: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<redacted template>" }
    public var debugDescription: String { "<redacted template>" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// All templates in one set: a length, then entries that begin with their own length.
public enum TemplateTable {
    /// A size, the uid, the finger and the flag, before the template.
    static let entryHeaderByteCount = 6
    /// The size of an entry is a u16 and counts its header.
    public static let maximumTemplateByteCount = 65_535 - entryHeaderByteCount

    /// - Parameter set: with its length prefix.
    /// - Throws: ``WireError`` for a set that is shorter than it says, or for an entry that cannot be one.
    public static func decode(_ set: [UInt8]) throws(WireError) -> [TemplateEntry] {
        var prefix = ByteReader(set)
        let length = try prefix.u32()
        guard Int(length) <= prefix.remaining else {
            throw WireError("the templates say \(length) bytes and have \(prefix.remaining)")
        }
        var reader = ByteReader(try prefix.take(Int(length)))
        var entries: [TemplateEntry] = []
        while reader.remaining > 0 {
            let offset = reader.offset
            let size = Int(try reader.u16())
            guard size > entryHeaderByteCount else { throw WireError("a template of \(size) bytes", at: offset) }
            let uid = try reader.u16()
            let finger = try reader.u8()
            let flag = try reader.u8()
            let bytes = try reader.take(size - entryHeaderByteCount)
            entries.append(TemplateEntry(uid: uid, finger: finger, flag: flag, bytes: Array(bytes)))
        }
        return entries
    }

    /// The set with its length prefix.
    public static func encode(_ entries: [TemplateEntry]) -> [UInt8] {
        var writer = ByteWriter()
        for entry in entries {
            let bytes = entry.bytes.prefix(maximumTemplateByteCount)
            writer.u16(UInt16(clamping: bytes.count + entryHeaderByteCount))
            writer.u16(entry.uid)
            writer.u8(entry.finger)
            writer.u8(entry.flag)
            writer.append(bytes)
        }
        var set = ByteWriter(capacity: writer.count + 4)
        set.u32(UInt32(clamping: writer.count))
        set.append(writer.bytes)
        return set.bytes
    }
}

/// People with their templates, as they are written in one go: uploaded with ``Command/prepareData`` and
/// ``Command/data``, then committed with ``Command/saveUserTemplates``.
public struct TemplateUpload: Sendable {
    public var users: [UserRecord]
    /// Whose flag is not sent: what is uploaded is valid.
    public var templates: [TemplateEntry]

    /// The payload of ``Command/saveUserTemplates``: a u32 12, a u16 0, a u16 8. What they mean is not known.
    public static let commit: [UInt8] = [12, 0, 0, 0, 0, 0, 8, 0]
    /// What clients send in one ``Command/data``.
    public static let pieceByteCount = 1_024
    private static let tag: UInt8 = 2
    private static let fingerBase: UInt8 = 0x10

    public init(users: [UserRecord], templates: [TemplateEntry]) {
        self.users = users
        self.templates = templates
    }

    public func bytes(_ layout: UserLayout) -> [UInt8] {
        var people = ByteWriter()
        for user in users {
            people.u8(Self.tag)
            people.append(layout.encode(user))
        }
        var table = ByteWriter()
        var bodies = ByteWriter()
        for template in templates {
            table.u8(Self.tag)
            table.u16(template.uid)
            table.u8(Self.fingerBase + min(template.finger, 9))
            table.u32(UInt32(clamping: bodies.count))
            let bytes = template.bytes.prefix(Int(UInt16.max))
            bodies.u16(UInt16(clamping: bytes.count))
            bodies.append(bytes)
        }
        var writer = ByteWriter(capacity: 12 + people.count + table.count + bodies.count)
        for part in [people, table, bodies] { writer.u32(UInt32(clamping: part.count)) }
        for part in [people, table, bodies] { writer.append(part.bytes) }
        return writer.bytes
    }

    /// - Throws: ``WireError`` for parts that do not fit together.
    public init(bytes: [UInt8], _ layout: UserLayout) throws(WireError) {
        var reader = ByteReader(bytes)
        let counts = [try reader.u32(), try reader.u32(), try reader.u32()]
        let people = try reader.take(Int(counts[0]))
        let table = try reader.take(Int(counts[1]))
        let bodies = try reader.take(Int(counts[2]))
        users = try Self.users(people, layout)
        templates = try Self.templates(table, bodies)
    }

    private static func users(_ part: ArraySlice<UInt8>, _ layout: UserLayout) throws(WireError) -> [UserRecord] {
        guard part.count.isMultiple(of: layout.byteCount + 1) else {
            throw WireError("\(part.count) bytes are no users of \(layout.byteCount + 1) bytes")
        }
        var reader = ByteReader(part)
        var users: [UserRecord] = []
        while reader.remaining > 0 {
            guard try reader.u8() == tag else { throw WireError("a user without its tag", at: reader.offset - 1) }
            users.append(try layout.decode(try reader.take(layout.byteCount), readsPassword: true))
        }
        return users
    }

    private static func templates(
        _ table: ArraySlice<UInt8>, _ bodies: ArraySlice<UInt8>
    ) throws(WireError) -> [TemplateEntry] {
        var reader = ByteReader(table)
        var templates: [TemplateEntry] = []
        while reader.remaining > 0 {
            guard try reader.u8() == tag else { throw WireError("a template without its tag", at: reader.offset - 1) }
            let uid = try reader.u16()
            let finger = try reader.u8()
            let offset = try reader.u32()
            guard (fingerBase...fingerBase + 9).contains(finger) else {
                throw WireError("\(finger) is no finger", at: reader.offset - 5)
            }
            var body = ByteReader(bodies)
            try body.skip(Int(offset))
            let length = Int(try body.u16())
            let bytes = try body.take(length)
            templates.append(TemplateEntry(uid: uid, finger: finger - fingerBase, bytes: Array(bytes)))
        }
        return templates
    }
}
