import DeviceKit
import DeviceKitTesting
import Synchronization
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

@Suite("The ZKTeco driver: cheap polls")
struct ZKTecoTailTests {
    /// A terminal, and the bytes of bulk data that it has sent.
    private final class Rig: Sendable {
        let terminal: EmulatedTerminal
        private let sent: Box

        private final class Box: Sendable { let bytes = Mutex(0) }

        init(records: Int = 3_000, form: EmulatedRecordForm = .bytes40, start: EmulatedChunkStart = .honoured) throws {
            var options = EmulatorOptions()
            options.records = records
            options.recordForm = form
            options.chunkStart = start
            let box = Box()
            sent = box
            terminal = try EmulatedTerminal(
                options,
                tamper: { packet in
                    if packet.code == Command.data { box.bytes.withLock { $0 += packet.payload.count } }
                    return packet
                })
        }

        /// Bytes of bulk data and request frames of `body`.
        func cost<Value>(of body: () async throws -> Value) async throws -> (Value, bytes: Int, requests: Int) {
            let (before, requests) = (sent.bytes.withLock { $0 }, terminal.requests.count)
            let value = try await body()
            return (value, sent.bytes.withLock { $0 } - before, terminal.requests.count - requests)
        }

        func punch(_ count: Int) { for _ in 0..<count { terminal.handle(.punch(code: nil)) } }
    }

    @Test("what is new costs what is new", arguments: EmulatedRecordForm.allCases)
    func newRecords(form: EmulatedRecordForm) async throws {
        let rig = try Rig(records: 10_000, form: form)
        let session = try await Driving.open(rig.terminal)
        let (first, full, _) = try await rig.cost { try await Driving.read(session) }
        await session.close()
        rig.punch(30)
        // Another connection, as `muster sync` makes it.
        let second = try await Driving.open(rig.terminal)
        let (reading, bytes, _) = try await rig.cost { try await Driving.read(second, after: first.cursor) }
        #expect(reading.records.map(Essence.init) == rig.terminal.truth.suffix(30).map(Essence.init))
        #expect(reading.resets.isEmpty)
        #expect(reading.rejected.map(\.reason) == [])
        #expect(first.rejected.map(\.reason).prefix(2) == [])
        // The short forms name slots, and the table of people is read with them; where a log of 22 bytes begins is not sure.
        let isCheap = ![.bytes8, .bytes8B, .bytes22].contains(form)
        #expect(!isCheap || bytes * 50 < full, "\(bytes) of \(full)")
        await second.close()
    }

    @Test("an unchanged log costs no download; its end is compared at the start of a session and after an hour")
    func unchanged() async throws {
        let rig = try Rig()
        let session = try await Driving.open(rig.terminal)
        let cursor = try await Driving.read(session).cursor
        let (idle, none, one) = try await rig.cost { try await Driving.read(session, after: cursor) }
        #expect(idle.records.isEmpty && idle.cursor == cursor)
        #expect(none == 0)
        #expect(one == 1)
        rig.terminal.time.advance(by: .seconds(3_601))
        let (_, some, four) = try await rig.cost { try await Driving.read(session, after: cursor) }
        #expect(some == ZKTecoCursor.overlap * 40)
        #expect(four == 4)
        await session.close()
        let next = try await Driving.open(rig.terminal)
        let (_, again, requests) = try await rig.cost { try await Driving.read(next, after: cursor) }
        #expect(again == ZKTecoCursor.overlap * 40)
        #expect(requests == 4)
        await next.close()
    }

    @Test("from any cursor of any page the rest comes once, in order, poll after poll")
    func everyCursor() async throws {
        let rig = try Rig(records: 200)
        let session = try await Driving.open(rig.terminal)
        var cursors: [(Cursor?, Int)] = [(nil, 0)]
        while true {
            let page = try await session.poll(PollRequest(cursor: cursors.last?.0, limit: 13))
            cursors.append((page.cursor, (cursors.last?.1 ?? 0) + page.records.count))
            if !page.hasMore { break }
        }
        for (cursor, count) in cursors {
            rig.punch(3)
            let reading = try await Driving.read(session, after: cursor)
            #expect(reading.records.map(Essence.init) == rig.terminal.truth.dropFirst(count).map(Essence.init))
            #expect(reading.resets.isEmpty)
            // Where that reading ended, the next one goes on.
            rig.punch(1)
            let next = try await Driving.read(session, after: reading.cursor)
            #expect(next.records.count == 1)
        }
        await session.close()
    }

    @Test("a log that was cleared, shortened, or replaced by one of equal or greater length is read anew, and named")
    func replaced() async throws {
        let changes: [(inout [EmulatedRecord]) -> Void] = [
            { $0.removeAll() }, { $0.removeLast(10) }, { $0.removeFirst(10) },
            { records in for index in stride(from: 0, to: records.count, by: 2) { records.swapAt(index, index + 1) } },
            { records in
                for index in stride(from: 0, to: records.count, by: 2) { records.swapAt(index, index + 1) }
                records += records.suffix(50)
            },
            { records in
                records.removeLast()
                records.append(records[7])
            },
        ]
        for change in changes {
            let rig = try Rig()
            let session = try await Driving.open(rig.terminal)
            let cursor = try await Driving.read(session).cursor
            await session.close()
            rig.terminal.replaceLog(change)
            let next = try await Driving.open(rig.terminal)
            let after = try await Driving.read(next, after: cursor)
            #expect(after.resets.map(\.reason) == [.logRewritten])
            #expect(Essence.differences(after.records, rig.terminal.truth) == [])
            #expect(try await Driving.read(next, after: after.cursor).resets.isEmpty)
            await next.close()
        }
    }

    @Test("a log that was rewritten in its middle is found out by the audit, at the latest after log_audit")
    func rewrittenInTheMiddle() async throws {
        let rig = try Rig()
        let session = try await Driving.open(rig.terminal, ["log_audit": "2h"])
        let cursor = try await Driving.read(session).cursor
        rig.terminal.replaceLog { $0.swapAt(3, 900) }
        rig.punch(1)
        let tail = try await Driving.read(session, after: cursor)
        #expect(tail.records.count == 1 && tail.resets.isEmpty)
        rig.terminal.time.advance(by: .seconds(7_200))
        let audit = try await Driving.read(session, after: tail.cursor)
        #expect(audit.resets.map(\.reason) == [.logRewritten])
        #expect(audit.records.count == 3_001)
        rig.punch(1)
        #expect(try await Driving.read(session, after: audit.cursor).records.count == 1)
        await session.close()
    }

    @Test("an audit of an untouched log brings nothing twice")
    func audit() async throws {
        let rig = try Rig()
        let session = try await Driving.open(rig.terminal)
        let cursor = try await Driving.read(session).cursor
        rig.terminal.time.advance(by: .seconds(86_401))
        rig.punch(2)
        let (reading, bytes, _) = try await rig.cost { try await Driving.read(session, after: cursor) }
        #expect(reading.records.count == 2 && reading.resets.isEmpty)
        #expect(bytes == 4 + 3_002 * 40)
        await session.close()
    }

    @Test(
        "a terminal that refuses or ignores the start of a chunk is read in full, and not asked again",
        arguments: [EmulatedChunkStart.refused, .ignored])
    func noOffsets(start: EmulatedChunkStart) async throws {
        let rig = try Rig(start: start)
        let session = try await Driving.open(rig.terminal)
        var reading = try await Driving.read(session)
        for _ in 0..<3 {
            rig.punch(2)
            reading = try await Driving.read(session, after: reading.cursor)
            #expect(reading.records.map(Essence.init) == rig.terminal.truth.suffix(2).map(Essence.init))
            #expect(reading.resets.isEmpty)
        }
        for _ in 0..<3 {
            rig.punch(1)
            let (next, bytes, _) = try await rig.cost { try await Driving.read(session, after: reading.cursor) }
            #expect(bytes == 4 + rig.terminal.truth.count * 40)
            reading = next
        }
        // A log that was rewritten is read from its first byte, as they want it.
        rig.terminal.replaceLog { $0.swapAt(3, 900) }
        let anew = try await Driving.read(session, after: reading.cursor)
        #expect(anew.resets.map(\.reason) == [.logRewritten])
        #expect(Essence.differences(anew.records, rig.terminal.truth) == [])
        await session.close()
    }

    @Test("log_read: full and tail do what they say")
    func choices() async throws {
        let rig = try Rig()
        for (choice, byteCount) in [("full", 4 + 3_000 * 40), ("tail", ZKTecoCursor.overlap * 40)] {
            let session = try await Driving.open(rig.terminal, ["log_read": choice])
            let cursor = try await Driving.read(session).cursor
            rig.terminal.time.advance(by: .seconds(40 * 86_400))
            let (reading, bytes, _) = try await rig.cost { try await Driving.read(session, after: cursor) }
            #expect(reading.records.isEmpty && reading.resets.isEmpty)
            #expect(bytes == byteCount)
            await session.close()
        }
    }

    @Test("a cursor of the first version is taken, and the log read in full once")
    func olderCursor() async throws {
        let rig = try Rig()
        let session = try await Driving.open(rig.terminal)
        let newest = try ZKTecoCursor(try #require(try await Driving.read(session).cursor))
        var old = ByteWriter()
        old.u8(1)
        old.u64(newest.recordCount)
        old.u64(newest.digest)
        old.append(newest.serialNumber.utf8)
        rig.punch(1)
        let reading = try await Driving.read(session, after: Cursor(bytes: old.bytes))
        #expect(reading.records.count == 1 && reading.resets.isEmpty)
        await session.close()
    }
}
