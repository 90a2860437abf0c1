internal import DeviceKit
internal import ZKTecoWire

extension ZKTecoSession: PeopleWriting {
    /// Reads the table first: a slot that is written belongs to this person, or to nobody.
    func putPerson(_ change: PersonChange) async throws(DeviceFault) -> PersonOutcome {
        let table = try await readUserTable(readsPasswords: true)
        let row = PersonRow(
            layout: table.layout, encoding: settings.nameEncoding,
            codeWidth: try await option("~PIN2Width").flatMap { Int($0) },
            allowsLetters: try await option("~IsABCPinEnable") == "1")
        let (user, outcome) = try row.row(for: change, among: table.users)
        try await perform(Command.userWrite, table.layout.encode(user), to: "store the person \(change.code)")
        try await refreshData()
        forgetPeople()
        return outcome
    }

    func deletePerson(_ code: String) async throws(DeviceFault) {
        guard let user = try await readUserTable().users.first(where: { $0.code == code }) else {
            throw CommandFaults.nobody(code)
        }
        var payload = ByteWriter(capacity: 2)
        payload.u16(user.uid)
        try await perform(Command.userDelete, payload.bytes, to: "remove the person \(code)")
        try await refreshData()
        forgetPeople()
    }

    func readPeople() async throws(DeviceFault) -> [Person] {
        try await readUserTable().users.map { RecordMapping.person($0, name: settings.nameEncoding.decode($0.name)) }
    }

    struct Users: Sendable {
        var layout: UserLayout
        var users: [UserRecord]
    }

    /// - Parameter readsPasswords: only where rows are written again.
    func readUserTable(readsPasswords: Bool = false) async throws(DeviceFault) -> Users {
        let counted = try await readInventory().peopleCount
        if counted == 0 { return Users(layout: usualLayout, users: []) }
        try await dropReading()
        let set = try await bulk.readWhole(.users)
        var reader = ByteReader(set)
        guard let length = try? reader.u32(), Int(length) <= reader.remaining else {
            throw DeviceFault(.incomplete, "the user table is shorter than it says")
        }
        if length == 0 { return Users(layout: usualLayout, users: []) }
        let rows = set.dropFirst(4).prefix(Int(length))
        guard let layout = UserTable.layout(rows, count: counted) else {
            // The rows hold passwords: they are no evidence.
            throw DeviceFault(
                .malformed, "the layout of the user table is not known: \(length) bytes for \(counted ?? 0) users")
        }
        return Users(layout: layout, users: UserTable.users(rows, layout, readsPasswords: readsPasswords))
    }

    /// What an empty table does not show: colour terminals have rows of 72 bytes. As pyzk guesses where the platform says
    /// nothing.
    private var usualLayout: UserLayout {
        if let platform = identity.registrationNumber { return platform.hasSuffix("_TFT") ? .bytes72 : .bytes28 }
        return link.isDatagram ? .bytes28 : .bytes72
    }
}

/// Rows of the user table.
enum UserTable {
    /// The layout that divides the table exactly, by the counter where both do (504 bytes are 18 × 28 and 7 × 72).
    static func layout(_ rows: ArraySlice<UInt8>, count: Int?) -> UserLayout? {
        let fitting = UserLayout.allCases.filter { rows.count.isMultiple(of: $0.byteCount) }
        if let count, let exact = fitting.first(where: { rows.count == $0.byteCount * count }) { return exact }
        return fitting.max { users(rows, $0).count * $0.byteCount < users(rows, $1).count * $1.byteCount }
    }

    /// Rows that decode; others are no people (some terminals keep templates among them).
    static func users(
        _ rows: ArraySlice<UInt8>, _ layout: UserLayout, readsPasswords: Bool = false
    ) -> [UserRecord] {
        var users: [UserRecord] = []
        var rest = rows
        while rest.count >= layout.byteCount {
            if let user = try? layout.decode(rest.prefix(layout.byteCount), readsPassword: readsPasswords),
                user.privilege & 0xF0 == 0
            {
                users.append(user)
            }
            rest = rest.dropFirst(layout.byteCount)
        }
        return users
    }
}
