internal import DeviceKit
internal import ZKTecoWire

// People, and clearing what the terminal holds.
extension EmulatorMachine {
    mutating func changePeople(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        switch packet.code {
        case Command.userWrite:
            guard let layout = UserLayout(rawValue: packet.payload.count),
                let user = try? layout.decode(packet.payload[...], readsPassword: true), user.uid != 0,
                people.count < EmulatedPerson.maximumCount
            else { return reply(packet, id, Reply.error) }
            people.removeAll { $0.uid == user.uid }
            people.append(EmulatedPerson(user))
            people.sort { $0.uid < $1.uid }
        case Command.userDelete:
            var reader = ByteReader(packet.payload)
            guard let uid = try? reader.u16(), people.contains(where: { $0.uid == uid }) else {
                return reply(packet, id, Reply.error)
            }
            people.removeAll { $0.uid == uid }
        default:
            for index in people.indices { people[index].privilege = 0 }
        }
        return reply(packet, id)
    }

    mutating func clear(_ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        let count = log.count
        log = RecordLog(recordByteCount: layout.byteCount)
        if packet.code == Command.clearData, packet.payload.isEmpty || packet.payload[0] == 5 { people = [] }
        return [.forgetLog(count), .observe(.logCleared), reply(packet, id)]
    }
}
