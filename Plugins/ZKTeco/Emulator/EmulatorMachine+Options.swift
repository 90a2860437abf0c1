internal import DeviceKit
internal import ZKTecoWire

// Options and the clock.
extension EmulatorMachine {
    mutating func serveOption(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        if packet.code == Command.optionWrite {
            guard let option = OptionText.split(packet.payload), option.name.utf8.count <= 64,
                option.value.utf8.count <= 256, settings[option.name] != nil || settings.count < 1_000
            else { return reply(packet, id, Reply.error) }
            settings[option.name] = option.value
            return reply(packet, id)
        }
        let name = OptionText.text(packet.payload)
        guard let value = settings[name] else { return reply(packet, id, Reply.error) }
        return reply(packet, id, Reply.ok, OptionText.answer(name: name, value: value))
    }

    mutating func serveClock(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        var payload = ByteWriter()
        if packet.code == Command.timeRead {
            payload.u32(PackedTime.encode(clock(at: moment)))
            return [reply(packet, id, Reply.ok, payload.bytes)]
        }
        var reader = ByteReader(packet.payload)
        guard let value = try? reader.u32(), let time = PackedTime.decode(value) else {
            return [reply(packet, id, Reply.error)]
        }
        operations.add(21, at: clock(at: moment))
        clockOffset += time.wallSeconds - clock(at: moment).wallSeconds
        return [.observe(.clockSet(time)), reply(packet, id)]
    }
}
