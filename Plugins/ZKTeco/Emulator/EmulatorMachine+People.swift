internal import DeviceKit
internal import ZKTecoWire

// People, and clearing what the terminal holds.
extension EmulatorMachine {
    mutating func changePeople(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        switch packet.code {
        case Command.userWrite:
            guard let layout = UserLayout(rawValue: packet.payload.count),
                let user = try? layout.decode(packet.payload[...], readsPassword: true), put(user)
            else { return reply(packet, id, Reply.error) }
        case Command.userDelete:
            var reader = ByteReader(packet.payload)
            guard let uid = try? reader.u16(), people.contains(where: { $0.uid == uid }) else {
                return reply(packet, id, Reply.error)
            }
            people.removeAll { $0.uid == uid }
            templates.remove(uid: uid)
        default:
            for index in people.indices { people[index].privilege &= 1 }
        }
        return reply(packet, id)
    }

    /// Adds a person or replaces who has the slot. False for what the terminal refuses: slot 0, a user id that is too
    /// wide or has letters where there are none, a full table.
    mutating func put(_ user: UserRecord) -> Bool {
        let isNumber = user.code.utf8.allSatisfy { (0x30...0x39).contains($0) }
        guard user.uid != 0, user.code.utf8.count <= pinWidth, isNumber || settings["~IsABCPinEnable"] == "1" else {
            return false
        }
        let others = people.count { $0.uid != user.uid }
        guard others < EmulatedPerson.maximumCount else { return false }
        people.removeAll { $0.uid == user.uid }
        people.append(EmulatedPerson(user))
        people.sort { $0.uid < $1.uid }
        return true
    }

    /// How many characters a user id has at most.
    var pinWidth: Int { min(settings["~PIN2Width"].flatMap { Int($0) } ?? 9, 24) }

    mutating func clear(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        // CLEAR_DATA says what: everything where it says nothing.
        let kind = packet.code == Command.clearLog ? 1 : packet.payload.first
        var effects: [EmulatorEffect] = []
        if kind == nil || kind == 1 { effects += clearLog(at: moment) }
        if kind == nil || kind == 2 || kind == 5 { templates.removeAll() }
        if kind == nil || kind == 5 { people = [] }
        if kind == nil || kind == 4 { operations.removeAll() }
        return effects + [reply(packet, id)]
    }

    private mutating func clearLog(at moment: EmulatorMoment) -> [EmulatorEffect] {
        let count = log.count
        log = RecordLog(recordByteCount: layout.byteCount)
        operations.add(23, at: clock(at: moment))
        return [.forgetLog(count), .observe(.logCleared)]
    }
}
