import DeviceKit
import DeviceKitTesting
import Synchronization
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

/// One test for each row of the table of quirks in Plugins/ZKTeco/README.md that no other suite covers.
@Suite("Quirks of firmwares")
struct QuirkTests {
    /// A terminal whose log is these bytes, at once and whole.
    private static func terminal(
        serving set: [UInt8], count: Int = 1, _ change: (inout EmulatorOptions) -> Void = { _ in }
    ) throws -> EmulatedTerminal {
        var options = EmulatorOptions()
        options.records = count
        change(&options)
        return try EmulatedTerminal(
            options,
            tamper: { packet in
                guard packet.code == Command.data else { return packet }
                var packet = packet
                packet.payload = set
                return packet
            })
    }

    private static func read(
        _ terminal: EmulatedTerminal, _ texts: [String: String] = [:]
    ) async throws -> Driving.Reading {
        try await terminal.whileTimePasses {
            let session = try await Driving.open(terminal, texts)
            let reading = try await Driving.read(session)
            await session.close()
            return reading
        }
    }

    private static func records(_ count: Int, layout: RecordLayout = .bytes40) throws -> [[UInt8]] {
        let start = try #require(LocalDateTime("2026-01-05 08:00:00"))
        return (0..<count).map { (index: Int) -> [UInt8] in
            let time = start.advanced(bySeconds: Int64(index) * 61)
            let record = AttendanceRecord(
                uid: UInt16(index + 1), code: String(1_001 + index), time: time, verification: 1,
                state: UInt8(index % 2))
            return layout.encode(record)
        }
    }

    private static func set(_ bytes: [UInt8], length: Int? = nil) -> [UInt8] {
        var writer = ByteWriter()
        writer.u32(UInt32(length ?? bytes.count))
        writer.append(bytes)
        return writer.bytes
    }

    private static func codes(_ count: Int) -> [String] { (0..<count).map { String(1_001 + $0) } }

    @Test("bytes behind the set's own length are no records")
    func strayBytesAfterSet() async throws {
        let records = try Self.records(20).flatMap { $0 }
        let terminal = try Self.terminal(
            serving: Self.set(records + [1, 2, 3, 4, 5], length: records.count), count: 20)
        let reading = try await Self.read(terminal)
        #expect(reading.records.map(\.code) == Self.codes(20))
        #expect(reading.rejected.isEmpty)
    }

    @Test("a set that no record size divides is read, and what is over is kept as rejected", arguments: [1, 7, 23])
    func sizesThatDoNotDivide(_ over: Int) async throws {
        let records = try Self.records(20).flatMap { $0 } + [UInt8](repeating: 0xEE, count: over)
        let reading = try await Self.read(try Self.terminal(serving: Self.set(records), count: 20))
        #expect(reading.records.map(\.code) == Self.codes(20))
        #expect(reading.rejected.map(\.bytes) == [[UInt8](repeating: 0xEE, count: over)])
    }

    @Test("stray bytes between records of 40 bytes are passed over", arguments: [[3], [0, 1, 19], [5, 10, 15]])
    func strayBytesBetween(_ places: [Int]) async throws {
        var bytes: [UInt8] = []
        for (index, record) in try Self.records(20).enumerated() {
            if places.contains(index) { bytes += RecordFiller.bytes }
            bytes += record
        }
        let terminal = try Self.terminal(serving: Self.set(bytes), count: 20)
        let session = try await Driving.open(terminal)
        let reading = try await Driving.read(session, limit: 7)
        #expect(reading.records.map(\.code) == Self.codes(20))
        #expect(reading.rejected.isEmpty)
        // Read again they are the same ones.
        let again = try await Driving.read(session, after: reading.cursor)
        #expect(again.records.isEmpty && again.resets.isEmpty)
        await session.close()
    }

    @Test("the person 55 in the slot that looks like stray bytes is a person")
    func lookalike() throws {
        let time = try #require(LocalDateTime("2026-01-05 08:00:00"))
        let bytes = RecordLayout.bytes40.encode(
            AttendanceRecord(uid: 0x32FF, code: "55", time: time, verification: 1, state: 0))
        #expect(bytes.starts(with: RecordFiller.bytes))
        #expect(!LayoutChoice.isFiller(bytes[...], .bytes40))
    }

    @Test(
        "DATA that carries neither its session nor its reply number belongs to the read that it stands in",
        arguments: [Reply.error, nil], [EmulatedRecordForm.bytes22, .bytes40])
    func foreignDataHeaders(refusal: UInt16?, form: EmulatedRecordForm) async throws {
        var options = EmulatorOptions()
        options.records = 200
        options.recordForm = form
        options.preparationRefusal = refusal
        options.dataByteCount = 1_008
        options.counters = .zero
        let terminal = try EmulatedTerminal(
            options,
            tamper: { packet in
                guard packet.code == Command.data else { return packet }
                return Packet(
                    code: packet.code, session: UInt16(truncatingIfNeeded: packet.payload.count &* 7_919),
                    replyNumber: 60_000, payload: packet.payload)
            })
        let session = try await Driving.open(terminal)
        var reading = try await Driving.read(session)
        #expect(Essence.differences(reading.records, terminal.truth) == [])
        for _ in 0..<2 {
            terminal.time.advance(by: .seconds(1))
            terminal.handle(.punch(code: "1001"))
            reading = try await Driving.read(session, after: reading.cursor)
            #expect(reading.records.map(\.code) == ["1001"])
        }
        #expect(try await session.readPeople().count == 20)
        await session.close()
    }

    @Test("WL10 terminals: records of 22 bytes behind a prefix of 12, and counts of a single zero")
    func wl10() async throws {
        let records = try Self.records(20, layout: .bytes22).flatMap { $0 }
        var writer = ByteWriter()
        writer.u32(UInt32(records.count + 8))
        writer.u32(0x0001_0000)
        writer.u32(UInt32(records.count))
        writer.append(records)
        let bytes = writer.bytes
        let terminal = try Self.terminal(serving: bytes) { $0.counters = .zero }
        let session = try await Driving.open(terminal)
        let reading = try await Driving.read(session)
        #expect(reading.records.map(\.code) == Self.codes(20))
        #expect(reading.rejected.isEmpty)
        #expect(try await Driving.read(session, after: reading.cursor).records.isEmpty)
        await session.close()
    }

    @Test("a terminal that counts nothing is read all the same, and its people, too", arguments: ["tcp", "udp"])
    func zeroCounters(_ transport: String) async throws {
        var options = EmulatorOptions()
        options.counters = .zero
        options.records = 2_000
        let terminal = try EmulatedTerminal(options)
        try await terminal.whileTimePasses {
            let session = try await Driving.open(terminal, ["transport": transport])
            #expect(try await session.readInventory() == LogInventory())
            let reading = try await Driving.read(session)
            #expect(Essence.differences(reading.records, terminal.truth) == [])
            terminal.handle(.punch(code: nil))
            #expect(try await Driving.read(session, after: reading.cursor).records.count == 1)
            #expect(try await session.readPeople().count == 20)
            await session.close()
        }
    }

    @Test("the end of a chunk before its last data, and a few bytes more than announced")
    func chunkEnds() async throws {
        var options = EmulatorOptions()
        options.records = 4_000
        let overtaken = try EmulatedTerminal(options, delivery: .endFirst)
        #expect(Essence.differences(try await Self.read(overtaken).records, overtaken.truth) == [])
        let long = try EmulatedTerminal(
            options,
            tamper: { packet in
                guard packet.code == Command.data else { return packet }
                var packet = packet
                packet.payload += [0xAA, 0xBB, 0xCC]
                return packet
            })
        #expect(Essence.differences(try await Self.read(long).records, long.truth) == [])
    }

    @Test("a terminal in access-control mode says so, and its log is not taken for a cleared one")
    func accessControlMode() async throws {
        var options = EmulatorOptions()
        options.preparationRefusal = Reply.accessControlMode
        let terminal = try EmulatedTerminal(options)
        await #expect {
            _ = try await Self.read(terminal)
        } throws: { error in
            let fault = error as? DeviceFault
            return fault?.message.contains("access-control mode") == true && fault?.kind == .protocolViolation
        }
    }

    @Test("secure firmware is named, whether it challenges, is locked, or refuses the key as locked")
    func secureFirmware() async throws {
        for (code, place) in [(Reply.secureChallenge, 1), (Reply.locked, 1), (Reply.locked, 2)] {
            let answers = Mutex(0)
            var options = EmulatorOptions()
            options.commKey = 7
            let terminal = try EmulatedTerminal(
                options,
                tamper: { packet in
                    let number = answers.withLock { count in
                        count += 1
                        return count
                    }
                    guard number == place else { return packet }
                    return Packet(code: code, session: packet.session, replyNumber: packet.replyNumber)
                })
            await #expect {
                _ = try await Driving.open(terminal, ["password": "7"])
            } throws: { ($0 as? DeviceFault)?.code == .secureCommunication }
        }
    }

    @Test("impossible dates are set aside with their bytes, one by one")
    func impossibleDates() async throws {
        var records = try Self.records(20)
        // 31 February 2024, and a year after 2099.
        for (index, value) in [(4, (24 * 372 + 31 + 30) * 86_400), (11, UInt32.max)] as [(Int, UInt32)] {
            for byte in 0..<4 { records[index][27 + byte] = UInt8(truncatingIfNeeded: value >> UInt32(8 * byte)) }
        }
        let reading = try await Self.read(try Self.terminal(serving: Self.set(records.flatMap { $0 }), count: 20))
        #expect(reading.rejected.map(\.bytes) == [records[4], records[11]])
        #expect(reading.rejected.allSatisfy { $0.reason.contains("is no date") })
        #expect(reading.records.count == 18)
    }

    @Test("user ids of 24 characters, which leave no room for a NUL")
    func longUserIDs() async throws {
        let code = "ABCDEFGHIJKLMNOPQRSTUVW9"
        let time = try #require(LocalDateTime("2026-01-05 08:00:00"))
        let record = RecordLayout.bytes40.encode(
            AttendanceRecord(uid: 1, code: code, time: time, verification: 1, state: 0))
        let reading = try await Self.read(try Self.terminal(serving: Self.set(record)))
        #expect(reading.records.map(\.code) == [code])
        let user = UserRecord(uid: 1, name: Array("A".utf8), code: code)
        #expect(try UserLayout.bytes72.decode(UserLayout.bytes72.encode(user)[...]).code == code)
        let event = LiveEvent(code: code, time: time, verification: 1, state: 0)
        for byteCount in [32, 36, 37, 52] {
            let payload = event.payload(byteCount: byteCount)
            #expect(LiveEvent.decode(payload: payload) == [.event(event, bytes: payload)])
        }
    }

    @Test("names in GBK, as recorded")
    func gbkNames() throws {
        let exchanges: [Vectors.Exchange] = try Vectors.load("zkteco-exchanges")
        let answers = try exchanges.filter { $0.name == "get_users-72-inline-gbk" && $0.command == Command.data }
            .map { try Vectors.bytes($0.hex) }
        #expect(answers.count == 1)
        for answer in answers {
            // The frame's top and the header, or the header alone; then the length.
            let payload = answer.drop { $0 != 0xDD }.dropFirst(8)
            let users = UserTable.users(payload.dropFirst(4), .bytes72)
            #expect(users.map { NameEncoding.auto.decode($0.name) }.contains("王小明"))
        }
    }

    @Test("an event that is sent until it is acknowledged is one punch and is acknowledged", arguments: ["tcp", "udp"])
    func duplicateEvents(_ transport: String) async throws {
        var options = EmulatorOptions()
        options.eventRepeatInterval = .milliseconds(200)
        let terminal = try EmulatedTerminal(options)
        try await terminal.whileTimePasses {
            let session = try await Driving.open(terminal, ["transport": transport])
            let receiver = RecordingReceiver()
            let capture = Task { try? await session.capture(into: receiver) }
            await receiver.waitForSubscription()
            receiver.hold()
            terminal.handle(.punch(code: "1001"))
            terminal.handle(.punch(code: "1002"))
            try await terminal.time.sleep(for: .seconds(2))
            #expect(terminal.eventsSent > 5)
            #expect(terminal.acknowledged == 0)
            receiver.release()
            try await terminal.time.sleep(for: .seconds(5))
            #expect(Set(receiver.durableRecords.map(Essence.init)) == Set(terminal.truth.suffix(2).map(Essence.init)))
            // The same punch each time, so the journal keeps one.
            #expect(receiver.durableRecords.count > 2)
            #expect(terminal.acknowledged == 2)
            capture.cancel()
            _ = await capture.value
            await session.close()
        }
    }
}
