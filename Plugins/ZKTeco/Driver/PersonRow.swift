internal import DeviceKit
internal import ZKTecoWire

/// Makes the row of the user table that a change of a person asks for, or says why there can be none. Pure: what the
/// terminal has room for is known before anything is sent.
struct PersonRow: Sendable {
    let layout: UserLayout
    let encoding: NameEncoding
    /// How many characters a user id has at most; `nil` where the terminal does not say.
    let codeWidth: Int?
    /// User ids may have letters.
    let allowsLetters: Bool

    private static let freeSlots: ClosedRange<UInt16> = 1...65_534
    private static let groups = 1...99

    private var nameByteCount: Int { layout == .bytes72 ? 23 : 8 }
    private var passwordByteCount: Int { layout == .bytes72 ? 8 : 5 }

    /// - Parameter users: everybody in the table, with their passwords: what is not changed is written as it was.
    /// - Throws: ``DeviceFault/Code/invalidRequest``.
    func row(
        for change: PersonChange, among users: [UserRecord]
    ) throws(DeviceFault) -> (row: UserRecord, outcome: PersonOutcome) {
        let known = users.first { $0.code == change.code }
        var row: UserRecord
        if let known {
            row = known
        } else {
            try check(code: change.code)
            row = UserRecord(uid: try slot(for: change.code, among: users), name: [], code: change.code)
        }
        if let name = change.name { row.name = try bytes(of: name) }
        if let card = change.card { row.card = try number(of: card) }
        if let password = change.password { row.password = try bytes(of: password) }
        if let group = change.group { row.group = try checked(group: group) }
        row.privilege = privilege(row.privilege, change)
        return (row, known == nil ? .added : .changed)
    }

    /// The lowest free slot; on terminals whose slots and user ids are to be equal, the one with that number if it is
    /// free.
    private func slot(for code: String, among users: [UserRecord]) throws(DeviceFault) -> UInt16 {
        let taken = Set(users.map(\.uid))
        if layout == .bytes28, let same = UInt16(code), Self.freeSlots.contains(same), !taken.contains(same) {
            return same
        }
        guard let free = Self.freeSlots.first(where: { !taken.contains($0) }) else {
            throw DeviceFault(.invalidRequest, "the terminal has no free slot for another person")
        }
        return free
    }

    private func check(code: String) throws(DeviceFault) {
        let isNumber = code.utf8.allSatisfy { (0x30...0x39).contains($0) }
        guard !code.isEmpty, code.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw DeviceFault(.invalidRequest, "a code is letters and digits without spaces")
        }
        guard isNumber || (allowsLetters && layout == .bytes72) else {
            throw DeviceFault(.invalidRequest, "codes on this terminal are digits only")
        }
        let width = min(codeWidth ?? 24, 24)
        guard code.utf8.count <= width else {
            throw DeviceFault(
                .invalidRequest,
                "codes on this terminal have at most \(width) characters, this one has \(code.utf8.count)")
        }
        guard layout == .bytes28 else { return }
        guard let number = UInt32(code), number > 0, String(number) == code else {
            throw DeviceFault(
                .invalidRequest, "codes on this terminal are numbers from 1 to 4294967295 without leading zeros")
        }
    }

    private func bytes(of name: String) throws(DeviceFault) -> [UInt8] {
        guard !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw DeviceFault(.invalidRequest, "a name has no control characters")
        }
        guard let bytes = encoding.encode(name) else {
            throw DeviceFault(
                .invalidRequest, "the name has characters that \(encoding.rawValue) does not have: see encoding")
        }
        guard bytes.count <= nameByteCount else {
            throw DeviceFault(
                .invalidRequest,
                "names on this terminal have room for \(nameByteCount) bytes, this one takes \(bytes.count)")
        }
        return bytes
    }

    private func number(of card: PersonChange.Change<String>) throws(DeviceFault) -> UInt32 {
        guard case .set(let text) = card else { return 0 }
        guard let number = UInt32(text), number > 0 else {
            throw DeviceFault(.invalidRequest, "a card is a number from 1 to 4294967295, not '\(text)'")
        }
        return number
    }

    /// The messages say nothing of the password but its form.
    private func bytes(of password: PersonChange.Change<Secret>) throws(DeviceFault) -> [UInt8] {
        guard case .set(let secret) = password else { return [] }
        let bytes = Array(secret.reveal().utf8)
        guard !bytes.isEmpty, bytes.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw DeviceFault(.invalidRequest, "a password is digits only")
        }
        guard bytes.count <= passwordByteCount else {
            throw DeviceFault(
                .invalidRequest, "passwords on this terminal have at most \(passwordByteCount) digits")
        }
        return bytes
    }

    private func checked(group: Int) throws(DeviceFault) -> UInt8 {
        guard Self.groups.contains(group) else {
            throw DeviceFault(.invalidRequest, "groups are \(Self.groups.lowerBound) to \(Self.groups.upperBound)")
        }
        return UInt8(group)
    }

    /// Bit 0 disables; the bits above are the level, which is kept to the number where its meaning does not change:
    /// terminals have more levels than words.
    private func privilege(_ old: UInt8, _ change: PersonChange) -> UInt8 {
        var level = old & ~1
        if let wanted = change.privilege, wanted != RecordMapping.privilege(old) {
            level =
                switch wanted {
                case .user: 0
                case .enroller: 2
                case .manager: 6
                case .administrator: 14
                }
        }
        let isEnabled = change.isEnabled ?? (old & 1 == 0)
        return level | (isEnabled ? 0 : 1)
    }
}
