internal import DeviceKit
internal import ZKTecoWire

// The terminal on its wall: door, display, voice, state, switching off.
extension EmulatorMachine {
    mutating func serveSite(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        switch packet.code {
        case Command.enableDevice:
            site.closure = .open
            return [reply(packet, id)]
        case Command.disableDevice: return [disable(packet, id, at: moment)]
        case Command.unlock: return unlock(packet, id, at: moment)
        case Command.doorState:
            guard options.tellsDoorState else { return [reply(packet, id)] }
            return [reply(packet, id, Reply.ok, [site.isUnlocked(at: moment.uptime) ? 1 : 0])]
        case Command.stateRead:
            // The state stands where the session stands otherwise: 0 waits, 1 enrols.
            let state: UInt16 = site.enrolment == nil ? 0 : 1
            return [.send(id, Packet(code: Reply.ok, session: state, replyNumber: packet.replyNumber), .alone)]
        case Command.testVoice: return playVoice(packet, id)
        case Command.writeLCD: return [writeDisplay(packet, id)]
        case Command.clearLCD:
            site.clearDisplay()
            return [reply(packet, id)]
        case Command.restart, Command.powerOff:
            site = EmulatedSite()
            operations.add(packet.code == Command.restart ? 0 : 1, at: clock(at: moment))
            let seen = packet.code == Command.restart ? EmulatorObservation.restarted : .poweredOff
            return [.observe(seen), reply(packet, id)] + connections.keys.sorted().map { .close($0) }
        default: return [reply(packet, id)]
        }
    }

    /// Clients send nothing, zeros, or seconds after which the terminal helps itself.
    private mutating func disable(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> EmulatorEffect {
        var reader = ByteReader(packet.payload)
        if let seconds = try? reader.u32(), seconds > 0 {
            site.closure = .disabledUntil(moment.uptime + .seconds(Int64(seconds)))
        } else {
            site.closure = .disabled
        }
        return reply(packet, id)
    }

    /// The number is kept as it came: whether it means seconds or tenths is disputed. This lock takes tenths.
    private mutating func unlock(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        var reader = ByteReader(packet.payload)
        guard let number = try? reader.u32() else { return [reply(packet, id, Reply.error)] }
        site.unlockedUntil = moment.uptime + .milliseconds(100 * Int64(min(number, 36_000)))
        operations.add(29, at: clock(at: moment))
        return [.observe(.unlocked(number)), reply(packet, id)]
    }

    private func playVoice(_ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        var reader = ByteReader(packet.payload)
        guard let low = try? reader.u16() else { return [reply(packet, id, Reply.error)] }
        return [.observe(.spoke(Int(low))), reply(packet, id)]
    }

    private mutating func writeDisplay(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        var reader = ByteReader(packet.payload)
        guard let line = try? reader.u16(), (try? reader.skip(1)) != nil else { return reply(packet, id, Reply.error) }
        // One space stands before the text.
        let text = reader.rest()
        let isWritten = site.write(text.first == 0x20 ? text.dropFirst() : text, line: Int(line))
        return reply(packet, id, isWritten ? Reply.ok : Reply.error)
    }
}
