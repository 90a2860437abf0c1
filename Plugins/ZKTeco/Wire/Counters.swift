public import DeviceKit

/// The answer to GET_FREE_SIZES: an array of i32 of which some are known.
public struct Counters: Sendable, Hashable {
    public var users: Int32
    public var fingerprints: Int32
    public var records: Int32
    public var operations: Int32
    public var administrators: Int32
    public var passwords: Int32
    public var fingerprintCapacity: Int32
    public var userCapacity: Int32
    public var recordCapacity: Int32
    /// `nil` where the answer is shorter than 92 bytes.
    public var faces: Int32?
    public var faceCapacity: Int32?

    public init(
        users: Int32, fingerprints: Int32 = 0, records: Int32, operations: Int32 = 0, administrators: Int32 = 0,
        passwords: Int32 = 0, fingerprintCapacity: Int32 = 0, userCapacity: Int32, recordCapacity: Int32,
        faces: Int32? = 0, faceCapacity: Int32? = 0
    ) {
        self.users = users
        self.fingerprints = fingerprints
        self.records = records
        self.operations = operations
        self.administrators = administrators
        self.passwords = passwords
        self.fingerprintCapacity = fingerprintCapacity
        self.userCapacity = userCapacity
        self.recordCapacity = recordCapacity
        self.faces = faces
        self.faceCapacity = faceCapacity
    }

    /// - Throws: ``WireError`` for fewer than 80 bytes: some terminals answer a single zero, and then know no counts.
    public init(bytes: [UInt8]) throws(WireError) {
        guard bytes.count >= 80 else { throw WireError("counters have 80 bytes or more, these have \(bytes.count)") }
        var reader = ByteReader(bytes)
        var fields: [Int32] = []
        while reader.remaining >= 4, fields.count < 23 { fields.append(try reader.i32()) }
        self.init(
            users: fields[4], fingerprints: fields[6], records: fields[8], operations: fields[10],
            administrators: fields[12], passwords: fields[13], fingerprintCapacity: fields[14],
            userCapacity: fields[15], recordCapacity: fields[16], faces: fields.count >= 23 ? fields[20] : nil,
            faceCapacity: fields.count >= 23 ? fields[22] : nil)
    }

    /// 92 bytes, or 80 without the faces.
    public var bytes: [UInt8] {
        var fields = [Int32](repeating: 0, count: faces == nil ? 20 : 23)
        fields[4] = users
        fields[6] = fingerprints
        fields[8] = records
        fields[10] = operations
        fields[12] = administrators
        fields[13] = passwords
        fields[14] = fingerprintCapacity
        fields[15] = userCapacity
        fields[16] = recordCapacity
        fields[17] = fingerprintCapacity &- fingerprints
        fields[18] = userCapacity &- users
        fields[19] = recordCapacity &- records
        if let faces {
            fields[20] = faces
            fields[22] = faceCapacity ?? 0
        }
        var writer = ByteWriter(capacity: 92)
        for field in fields { writer.i32(field) }
        return writer.bytes
    }
}
