/// What shall be different about somebody who is enrolled, or who shall be. What is `nil` stays as it is; for somebody
/// new it is what the device gives to new people.
public struct PersonChange: Sendable, Hashable {
    /// A value that can also be taken away.
    public enum Change<Value: Sendable & Hashable>: Sendable, Hashable {
        case set(Value)
        case remove
    }

    /// The user id that punches carry.
    public var code: String
    public var name: String?
    public var privilege: Person.Privilege?
    public var isEnabled: Bool?
    /// A card number, in decimal digits.
    public var card: Change<String>?
    /// What the person types at the device; digits on most.
    public var password: Change<Secret>?
    /// The access group, 1...99.
    public var group: Int?

    public init(
        code: String, name: String? = nil, privilege: Person.Privilege? = nil, isEnabled: Bool? = nil,
        card: Change<String>? = nil, password: Change<Secret>? = nil, group: Int? = nil
    ) {
        self.code = code
        self.name = name
        self.privilege = privilege
        self.isEnabled = isEnabled
        self.card = card
        self.password = password
        self.group = group
    }
}

/// What came of a ``PersonChange``.
public enum PersonOutcome: String, Sendable, Hashable, Codable { case added, changed }

/// A device whose table of people can be changed.
public protocol PeopleWriting: PeopleReading {
    /// Adds somebody, or changes who has this code. Nobody else is touched: the device's table is read first.
    /// - Throws: ``DeviceFault/Code/invalidRequest`` before anything is sent, when the device has no room for a field;
    ///   ``DeviceFault/Code/rejected`` when the device declines.
    func putPerson(_ change: PersonChange) async throws(DeviceFault) -> PersonOutcome

    /// Removes somebody with their templates. Their punches stay in the log.
    /// - Throws: ``DeviceFault/Code/notFound`` when nobody has this code.
    func deletePerson(_ code: String) async throws(DeviceFault)
}
