internal import DeviceKit
internal import ZKTecoWire

/// Somebody in the terminal's user table.
struct EmulatedPerson: Sendable, Hashable {
    /// The slot, 1...65534.
    var uid: UInt16
    /// The user id that is typed at the terminal.
    var code: String
    var name: [UInt8]
    var privilege: UInt8 = 0
    var password: [UInt8] = []
    var card: UInt32 = 0
    var group: UInt8 = 1
    /// As in ``UserRecord/access``.
    var access: [UInt8] = []

    static let maximumCount = 60_000

    init(uid: UInt16, code: String, name: [UInt8]) {
        self.uid = uid
        self.code = code
        self.name = name
    }

    init(_ user: UserRecord) {
        self.init(uid: user.uid, code: user.code, name: user.name)
        privilege = user.privilege
        password = user.password
        card = user.card
        group = user.group
        access = user.access
    }

    var record: UserRecord {
        UserRecord(
            uid: uid, privilege: privilege, password: password, name: name, card: card, group: group,
            access: access, code: code)
    }

    /// The same count and seed give the same people. The first one is an administrator.
    static func crew(count: Int, seed: UInt64) -> [EmulatedPerson] {
        let given = [
            "Aisha", "Binh", "Carlos", "Dana", "Emeka", "Farah", "Goran", "Hoa", "Ines", "José", "Kemal", "Linh",
        ]
        let family = ["Nguyen", "Okafor", "Silva", "Tran", "Hassan", "Novak", "Pham", "Garcia", "Khan", "Le"]
        var random = SplitMix64(seed: seed ^ 0x5045_4F50_4C45)
        return (0..<min(max(count, 0), maximumCount)).map { index in
            let name =
                "\(given[Int(random.next() % UInt64(given.count))]) \(family[Int(random.next() % UInt64(family.count))])"
            var person = EmulatedPerson(
                uid: UInt16(truncatingIfNeeded: index + 1), code: String(1_001 + index), name: Array(name.utf8))
            if index == 0 { person.privilege = 14 }
            if WorkHistory.habit(of: person.uid) == 4 { person.card = UInt32(truncatingIfNeeded: random.next() >> 40) }
            return person
        }
    }
}
