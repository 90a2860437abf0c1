import DeviceKit
import Testing

@testable import ZKTecoEmulator
@testable import ZKTecoWire

@Suite("Faults of the emulated terminal, on order")
struct EmulatorFaultTests {
    private static let start = Instant(secondsSince1970: 1_790_000_000)

    private func moment(_ seconds: Double) -> EmulatorMoment {
        let time = Duration.milliseconds(Int64(seconds * 1_000))
        return EmulatorMoment(wall: Self.start + time, uptime: time)
    }

    private func machine(
        _ steps: [FaultScript.Step] = [], repeatedAfter period: Duration? = nil,
        _ change: (inout EmulatorOptions) -> Void = { _ in }
    ) throws -> EmulatorMachine {
        var options = EmulatorOptions()
        options.people = 3
        options.records = 5
        options.script = FaultScript(steps, repeatedAfter: period)
        change(&options)
        return try EmulatorMachine.make(options, restoring: nil, at: moment(0)).machine
    }

    /// A client with a session, subscribed to events.
    private func connect(_ machine: inout EmulatorMachine, _ id: Int = 1, at seconds: Double = 0) {
        _ = machine.handle(.connected(id, .tcp), at: moment(seconds))
        _ = machine.handle(
            .received(id, Packet(code: Command.connect, session: 0, replyNumber: 0)), at: moment(seconds))
        _ = machine.handle(
            .received(id, Packet(code: Command.registerEvents, session: 1, replyNumber: 1, payload: [1, 0, 0, 0])),
            at: moment(seconds))
    }

    private func answer(_ machine: inout EmulatorMachine, _ code: UInt16, _ payload: [UInt8] = [], at seconds: Double)
        -> [EmulatorEffect]
    {
        machine.handle(
            .received(1, Packet(code: code, session: 1, replyNumber: 2, payload: payload)), at: moment(seconds))
    }

    private func replies(_ effects: [EmulatorEffect]) -> [UInt16] {
        effects.compactMap { effect in
            if case .send(_, let packet, _) = effect { packet.code } else { nil }
        }
    }

    @Test(
        "every fault is written as it is read",
        arguments: [
            "drop", "restart 3s", "restart-cleared 1m", "clear-log", "clock-jump -3600s", "clock-jump 90s",
            "serial ZKT9",
            "burst 20", "overflow 7", "capacity 500", "rate 5/s", "refuse-connections", "mute", "wrong-checksum 2",
            "split 7",
            "coalesce", "delay 200ms", "refuse-key", "one-connection", "refuse-buffer", "wrong-counters -3",
            "clock-drift -10s",
        ])
    func words(_ text: String) throws {
        let fault = try EmulatorFault(parsing: text)
        #expect(try EmulatorFault(parsing: fault.description) == fault)
        #expect(EmulatorFault.words.contains(fault.word))
        if fault.lasts {
            #expect(try ControlLine(parsing: "\(text) for 20s") == .fault(fault, .seconds(20)))
        } else if !["drop", "burst", "rate"].contains(fault.word) {
            #expect(throws: ControlLineError.self) { try ControlLine(parsing: "\(text) for 20s") }
        }
    }

    @Test(
        "what is not understood is said with a remedy",
        arguments: [
            ("split", "for example split 7"), ("split x", "from 1 to 65535"), ("drop 3", "takes no value"),
            ("slpit 7", "did you mean 'split'"), ("delay 5", "for example delay 200ms"), ("clock-jump 3", "-1h"),
            ("", "one word"),
        ])
    func mistakes(_ text: String, _ part: String) {
        #expect {
            _ = try EmulatorFault(parsing: text)
        } throws: { ($0 as? ControlLineError)?.description.contains(part) == true }
    }

    @Test("steps come at their times, last their time, and come again")
    func script() throws {
        var machine = try machine(
            [
                .init(at: .seconds(10), .mute, for: .seconds(5)), .init(at: .seconds(5), .drop),
                .init(at: .seconds(20), .split(7)),
            ],
            repeatedAfter: .seconds(30))
        connect(&machine)
        #expect(machine.nextDeadline == .seconds(5))
        #expect(machine.handle(.timePassed, at: moment(4.9)).isEmpty)
        #expect(machine.handle(.timePassed, at: moment(5)) == [.observe(.faultBegan(.drop)), .close(1)])
        #expect(machine.nextDeadline == .seconds(10))
        #expect(machine.handle(.timePassed, at: moment(10)) == [.observe(.faultBegan(.mute))])
        #expect(answer(&machine, Command.timeRead, at: 12).isEmpty)
        #expect(machine.handle(.timePassed, at: moment(15)) == [.observe(.faultEnded(.mute))])
        #expect(replies(answer(&machine, Command.timeRead, at: 15)) == [Reply.ok])
        #expect(machine.handle(.timePassed, at: moment(20)) == [.observe(.faultBegan(.split(7)))])
        #expect(
            WritePlan(machine.options, machine.faults).writes([([1, 2, 3, 4, 5, 6, 7, 8], .alone)]).map(\.bytes.count)
                == [7, 1])
        #expect(machine.nextDeadline == .seconds(30))
        #expect(machine.handle(.timePassed, at: moment(30)) == [.observe(.faultEnded(.split(7)))])
        #expect(machine.nextDeadline == .seconds(35))
        // After a long sleep the missed rounds are not made up for.
        #expect(machine.handle(.timePassed, at: moment(1_000)).count < 12)
        #expect((machine.nextDeadline ?? .zero) > .seconds(1_000))
    }

    @Test("every second frame has a wrong checksum")
    func damage() throws {
        var machine = try machine()
        connect(&machine)
        _ = machine.handle(.fault(.wrongChecksum(every: 2), .seconds(20)), at: moment(1))
        let damaged = (0..<4).map { number in
            answer(&machine, Command.timeRead, at: 2 + Double(number)).contains { effect in
                if case .sendDamaged = effect { true } else { false }
            }
        }
        #expect(damaged == [false, true, false, true])
        _ = machine.handle(.endFaults("wrong-checksum"), at: moment(9))
        #expect(replies(answer(&machine, Command.timeRead, at: 10)) == [Reply.ok])
    }

    @Test("a restart closes connections and new ones, until it is over; cleared, the log is empty")
    func restart() throws {
        var machine = try machine()
        connect(&machine)
        let effects = machine.handle(.fault(.restartCleared(.seconds(3)), nil), at: moment(1))
        #expect(
            effects == [
                .observe(.faultBegan(.restartCleared(.seconds(3)))), .close(1), .forgetLog(5), .observe(.logCleared),
            ])
        #expect(machine.recordCount == 0)
        _ = machine.handle(.disconnected(1), at: moment(1))
        #expect(machine.handle(.connected(2, .tcp), at: moment(2)).contains(.close(2)))
        #expect(machine.nextDeadline == .seconds(4))
        #expect(machine.handle(.timePassed, at: moment(4)) == [.observe(.switchedOn)])
        #expect(machine.handle(.connected(3, .tcp), at: moment(4)) == [.observe(.connected(3))])
    }

    @Test("no key is right, until the fault is over")
    func key() throws {
        var machine = try machine { $0.commKey = 1234 }
        _ = machine.handle(.fault(.refuseKey, nil), at: moment(0))
        _ = machine.handle(.connected(1, .tcp), at: moment(0))
        #expect(replies(answer(&machine, Command.connect, at: 0)) == [Reply.unauthorised])
        let session = machine.connections[1]?.session ?? 0
        let payload = CommKey.payload(key: 1234, session: session, ticks: CommKey.usualTicks)
        #expect(replies(answer(&machine, Command.authenticate, payload, at: 0)) == [Reply.unauthorised])
        _ = machine.handle(.endFaults(nil), at: moment(1))
        #expect(replies(answer(&machine, Command.authenticate, payload, at: 1)) == [Reply.ok])
    }

    @Test("a log that grows past its room loses its oldest records, and the truth says so")
    func overflow() throws {
        var machine = try machine { $0.capacity = 8 }
        connect(&machine)
        let first = machine.log.setBytes(from: 4, byteCount: 40)
        let effects = machine.handle(.fault(.overflow(4), nil), at: moment(1))
        #expect(machine.recordCount == 8)
        #expect(effects.contains(.overwrite(4)) && effects.contains(.observe(.recordsOverwritten(4))))
        guard case .keep(let records)? = effects.dropFirst().first else {
            Issue.record("nothing was kept")
            return
        }
        #expect(records.count == 7)
        #expect(machine.log.setBytes(from: 4, byteCount: 40) != first)
        let last = machine.log.setBytes(from: 4 + 7 * 40, byteCount: 40)
        #expect(last == machine.bytes(of: records[6]))
        #expect(machine.log.setByteCount == 4 + 8 * 40)
        // Beyond, nobody can punch at a terminal that does not overwrite.
        #expect(machine.handle(.punch(code: nil), at: moment(2)).isEmpty)
    }

    @Test("a log that wraps holds the last records, whatever segments they stand in")
    func wrap() {
        var log = RecordLog(recordByteCount: 2)
        for number in 0..<5_000 {
            log.append([UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)])
            if log.count > 1_500 { log.removeFirst() }
        }
        #expect(log.count == 1_500)
        let bytes = log.setBytes(from: 4, byteCount: 3_000)
        let expected = (3_500..<5_000).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        #expect(bytes == expected)
        #expect(log.setBytes(from: 2_000, byteCount: 100) == Array(expected[1_996..<2_096]))
    }

    @Test("the clock jumps and drifts; setting it puts it right")
    func clock() throws {
        var machine = try machine()
        let right = machine.clock(at: moment(0))
        _ = machine.handle(.fault(.clockJump(-3_600), nil), at: moment(0))
        #expect(machine.clock(at: moment(0)) == right.advanced(bySeconds: -3_600))
        _ = machine.handle(.fault(.clockJump(3_600), nil), at: moment(0))
        _ = machine.handle(.fault(.clockDrift(60), .seconds(3_600)), at: moment(0))
        #expect(machine.clock(at: moment(1_800)) == right.advanced(bySeconds: 1_830))
        _ = machine.handle(.timePassed, at: moment(3_600))
        #expect(machine.clock(at: moment(7_200)) == right.advanced(bySeconds: 7_260))
    }

    @Test("counters lie, the buffered read is refused, a second client is shut out, another serial number answers")
    func smaller() throws {
        var machine = try machine()
        connect(&machine)
        func begin(_ fault: EmulatorFault) { _ = machine.handle(.fault(fault, nil), at: moment(1)) }
        begin(.wrongCounters(3))
        guard case .send(_, let counters, _)? = answer(&machine, Command.counters, at: 1).last else {
            Issue.record("no counters")
            return
        }
        #expect(try Counters(bytes: counters.payload).records == 8)
        begin(.refuseBuffer)
        let request = BulkRequest.log.payload
        #expect(replies(answer(&machine, Command.prepareBuffer, request, at: 1)) == [Reply.error])
        begin(.oneConnection)
        _ = machine.handle(.connected(2, .tcp), at: moment(1))
        let second = machine.handle(
            .received(2, Packet(code: Command.connect, session: 0, replyNumber: 0)), at: moment(1))
        #expect(second.contains(.close(2)))
        let replaced = machine.handle(.fault(.serial("ZKT77"), nil), at: moment(1))
        #expect(replaced.contains(.close(1)))
        #expect(machine.settings["~SerialNumber"] == "ZKT77")
    }

    @Test("a script is read with the place of every mistake")
    func reading() throws {
        let schema = FaultScript.stepSchema
        #expect(schema.keys == ["at", "do", "for"])
        func node(_ value: ConfigurationNode.Value, _ path: String, line: Int) -> ConfigurationNode {
            ConfigurationNode(
                value, at: SourceMark(file: "faults.yaml", line: line, column: 1, sourceLine: ""), path: path)
        }
        func step(_ texts: [(String, String)], line: Int) -> ConfigurationNode {
            node(
                .mapping(
                    texts.map { key, text in
                        ConfigurationNode.Member(
                            key: key, keyMark: SourceMark(file: "faults.yaml", line: line, column: 1, sourceLine: ""),
                            node: node(.scalar(.init(text)), "faults.\(key)", line: line))
                    }), "faults", line: line)
        }
        func script(_ steps: [ConfigurationNode]) -> ConfigurationNode {
            let list = node(.sequence(steps), "faults", line: 1)
            return node(.mapping([.init(key: "faults", keyMark: list.mark, node: list)]), "", line: 1)
        }
        let good = try FaultScript(
            script([
                step([("at", "20s"), ("do", "mute"), ("for", "5s")], line: 2),
                step([("at", "10s"), ("do", "drop")], line: 3),
            ]))
        #expect(good.steps == [.init(at: .seconds(10), .drop), .init(at: .seconds(20), .mute, for: .seconds(5))])
        let bad = script([
            step([("at", "20s"), ("do", "mut")], line: 2),
            step([("at", "10"), ("do", "drop"), ("for", "1s")], line: 3),
            step([("at", "10s"), ("do", "drop"), ("for", "1s")], line: 4),
            step([("do", "drop"), ("what", "x")], line: 5),
        ])
        #expect {
            _ = try FaultScript(bad)
        } throws: { error in
            let lines = (error as? ConfigurationError)?.diagnostics.map(\.mark.line) ?? []
            return Set(lines) == [2, 3, 4, 5]
        }
    }
}
