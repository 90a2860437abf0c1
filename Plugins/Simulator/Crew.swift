internal import DeviceKit

/// The people who are enrolled on a simulated terminal.
struct Crew: Sendable {
    struct Member: Sendable {
        let person: Person
        let shift: Shift
        /// What this person usually identifies with.
        let verification: Verification
    }

    let members: [Member]
    /// Indexes of all members in a random order. Who is next is never who was just there: in any run of as many
    /// passages as there are members, everybody comes once.
    let passingOrder: [Int]

    init(_ plan: SimulationPlan) {
        let key = Chance.key(plan.seed, Chance.key(plan.device.name), Chance.key("crew"))
        var chance = SplitMix64(seed: key)
        passingOrder = Array(0..<plan.people).shuffled(using: &chance)
        members = (0..<plan.people).map { index in
            var chance = SplitMix64(seed: Chance.key(key, UInt64(index)))
            let given = Self.givenNames[Int.random(in: Self.givenNames.indices, using: &chance)]
            let family = Self.familyNames[Int.random(in: Self.familyNames.indices, using: &chance)]
            let verification = Self.verifications[Int.random(in: Self.verifications.indices, using: &chance)]
            let shift = Shift.all[Int.random(in: Shift.all.indices, using: &chance)]
            let card = UInt32.random(in: 1_000_000...9_999_999, using: &chance)
            let person = Person(
                code: String(index + 1), name: "\(given) \(family)", privilege: index == 0 ? .administrator : .user,
                card: verification.kind == .card ? String(card) : nil)
            return Member(person: person, shift: shift, verification: verification)
        }
    }

    /// One in ten has a card, one in ten shows the face, the others put a finger.
    private static let verifications: [Verification] =
        Array(repeating: Verification(.fingerprint, raw: 1), count: 8) + [
            Verification(.card, raw: 4), Verification(.face, raw: 15),
        ]

    private static let givenNames = [
        "Ana", "Minh", "Amina", "Lukas", "Noor", "Chloé", "Diego", "Sari", "Kwame", "Ingrid", "Hassan", "Mei", "Oleg",
        "Priya", "Tomás", "Yuki", "Fatima", "Jonas", "Linh", "Paolo", "Zeynep", "Aisha", "Erik", "Thảo", "Ravi",
        "Marta", "Omar", "Sofía", "Bình", "Grace", "Viktor", "Leila", "Samuel", "Hương", "Nadia", "Piotr",
    ]

    private static let familyNames = [
        "Nguyễn", "Silva", "Okafor", "Müller", "Khan", "Dubois", "Herrera", "Wijaya", "Mensah", "Larsen", "Haddad",
        "Chen", "Kovač", "Sharma", "Novák", "Tanaka", "Rahman", "Berg", "Trần", "Rossi", "Yılmaz", "Diallo", "Lind",
        "Phạm", "Iyer", "Kowalska", "Farouk", "García", "Lê", "Mwangi", "Petrov", "Karimi", "Cohen", "Đặng", "Popescu",
    ]
}
