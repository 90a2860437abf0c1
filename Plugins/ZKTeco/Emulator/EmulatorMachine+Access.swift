internal import DeviceKit
internal import ZKTecoWire

// Time zones, groups, unlock combinations and verification styles.
extension EmulatorMachine {
    mutating func serveAccess(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        do throws(WireError) {
            return reply(packet, id, Reply.ok, try accessAnswer(packet))
        } catch {
            return reply(packet, id, Reply.error)
        }
    }

    private mutating func accessAnswer(_ packet: Packet) throws(WireError) -> [UInt8] {
        var reader = ByteReader(packet.payload)
        switch packet.code {
        case Command.userGroupRead: return [people[try personIndex(&reader)].group]
        case Command.userGroupWrite:
            let index = try personIndex(&reader)
            try reader.skip(3)
            people[index].group = try reader.u8()
        case Command.userZonesRead: return userZones(people[try personIndex(&reader)])
        case Command.userZonesWrite: try setUserZones(&reader)
        case Command.timeZoneRead: return access.timeZone(try timeZoneNumber(&reader))
        case Command.timeZoneWrite:
            let number = try timeZoneNumber(&reader)
            access.setTimeZone(number, try reader.take(28))
        case Command.groupZonesRead:
            return access.group(try Self.number(try reader.u8(), in: AccessObjects.groupNumbers))
        case Command.groupZonesWrite:
            let number = try Self.number(packet.payload.first ?? 0, in: AccessObjects.groupNumbers)
            access.setGroup(number, try reader.take(8))
        case Command.unlockGroupsRead:
            return access.combination(try Self.number(try reader.u8(), in: AccessObjects.combinationNumbers))
        case Command.unlockGroupsWrite:
            let number = try Self.number(packet.payload.first ?? 0, in: AccessObjects.combinationNumbers)
            access.setCombination(number, try reader.take(8))
        case Command.verifyStyleRead:
            let uid = try knownUID(&reader)
            var writer = ByteWriter(capacity: 24)
            writer.u16(uid)
            writer.u8(access.style(of: uid))
            writer.zeros(21)
            return writer.bytes
        case Command.verifyStyleWrite:
            let uid = try knownUID(&reader)
            access.setStyle(try reader.u8(), of: uid)
        default: access = AccessObjects()
        }
        return []
    }

    private static func number<Number: Comparable>(
        _ number: Number, in range: ClosedRange<Number>
    ) throws(WireError) -> Number {
        guard range.contains(number) else { throw WireError("\(number) is outside \(range)") }
        return number
    }

    private func timeZoneNumber(_ reader: inout ByteReader) throws(WireError) -> UInt8 {
        UInt8(truncatingIfNeeded: try Self.number(try reader.u32(), in: AccessObjects.timeZoneNumbers))
    }

    /// Groups name a person by one byte.
    private func personIndex(_ reader: inout ByteReader) throws(WireError) -> Int {
        let uid = UInt16(try reader.u8())
        guard let index = people.firstIndex(where: { $0.uid == uid }) else { throw WireError("nobody has slot \(uid)") }
        return index
    }

    private func knownUID(_ reader: inout ByteReader) throws(WireError) -> UInt16 {
        let uid = try reader.u16()
        guard people.contains(where: { $0.uid == uid }) else { throw WireError("nobody has slot \(uid)") }
        return uid
    }

    /// The flag that is read says that the group's zones apply; the one in the record, and the one that is written, that
    /// the person's own do.
    private func userZones(_ person: EmulatedPerson) -> [UInt8] {
        let zones = Array((person.access + Array(repeating: 0, count: 8)).prefix(8))
        let hasOwn = zones[0] != 0 || zones[1] != 0
        return [hasOwn ? 0 : 1, 0] + zones[2...]
    }

    /// 20 bytes: the uid, whether own zones apply, three zones, all as u32.
    private mutating func setUserZones(_ reader: inout ByteReader) throws(WireError) {
        let uid = UInt16(truncatingIfNeeded: try reader.u32())
        guard let index = people.firstIndex(where: { $0.uid == uid }) else { throw WireError("nobody has slot \(uid)") }
        var zones = ByteWriter(capacity: 8)
        for _ in 0..<4 { zones.u16(UInt16(truncatingIfNeeded: try reader.u32())) }
        people[index].access = zones.bytes
    }
}
