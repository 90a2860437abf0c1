internal import DeviceKit
internal import ZKTecoWire

// Enrolment at the sensor.
extension EmulatorMachine {
    mutating func startEnrolment(_ packet: Packet, _ id: Int, at moment: EmulatorMoment) -> [EmulatorEffect] {
        guard options.enrolment != .refused, site.enrolment == nil,
            let start = try? EnrolmentStart(payload: packet.payload), start.finger <= 9,
            let person = people.first(where: { $0.code == start.code })
        else { return [reply(packet, id, Reply.error)] }
        var template = TemplateShelf.invented(
            uid: person.uid, finger: start.finger, seed: options.seed &+ UInt64(templates.count) &+ 1)
        template.flag = start.flag
        site.enrolment = EnrolmentScript(
            connection: id, code: start.code, template: template, outcome: options.enrolment.result,
            now: moment.uptime)
        // A finger that never comes: nothing happens until somebody cancels.
        guard options.enrolment != .waiting else { return [reply(packet, id, Reply.ok, [], .paced)] }
        return [reply(packet, id, Reply.ok, [], .paced)] + advanceEnrolment(at: moment)
    }

    /// CANCELCAPTURE: the terminal no longer asks for a finger.
    mutating func cancelEnrolment() { site.enrolment = nil }

    /// The next event, and the template at the end.
    mutating func advanceEnrolment(at moment: EmulatorMoment) -> [EmulatorEffect] {
        guard options.enrolment != .waiting, var script = site.enrolment, let event = script.next(now: moment.uptime)
        else { return [] }
        site.enrolment = script.isFinished ? nil : script
        let packet = Packet(
            code: Command.registerEvents, session: event.flag, replyNumber: 0, payload: event.payload)
        var effects: [EmulatorEffect] = [.send(script.connection, packet, .alone)]
        if script.isFinished, script.outcome == .stored, templates.put(script.template) {
            operations.add(6, at: clock(at: moment), [script.template.uid, 0, UInt16(script.template.finger)])
            effects.append(.observe(.enrolled(code: script.code, finger: Int(script.template.finger))))
        }
        return effects
    }
}

extension EmulatedEnrolment {
    var result: EnrolmentCompletion.Result {
        switch self {
        case .stored, .waiting, .refused: .stored
        case .duplicate: .duplicate
        case .timedOut: .timedOut
        }
    }
}
