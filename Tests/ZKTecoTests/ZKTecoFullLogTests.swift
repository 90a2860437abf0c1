import DeviceKit
import DeviceKitTesting
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

@Suite("The ZKTeco driver: logs that are full and overwrite their oldest records")
struct ZKTecoFullLogTests {
    /// A terminal at which people punch second after second, and all that they ever punched.
    private final class Rig: Sendable {
        let terminal: EmulatedTerminal
        private let past: [EmulatedRecord]

        /// - Parameter hidesCapacity: the counters tell 0 for it.
        init(
            records: Int = 3_000, capacity: Int = 3_000, hidesCapacity: Bool = false,
            _ change: (inout EmulatorOptions) -> Void = { _ in }
        ) throws {
            var options = EmulatorOptions()
            options.records = records
            options.capacity = capacity
            options.overwrites = true
            change(&options)
            terminal = try EmulatedTerminal(
                options,
                tamper: { packet in
                    guard hidesCapacity, packet.code == Reply.ok, packet.payload.count == 92 else { return packet }
                    var packet = packet
                    packet.payload.replaceSubrange(64..<68, with: [0, 0, 0, 0])
                    return packet
                })
            past = terminal.truth
        }

        func punch(_ count: Int) {
            for _ in 0..<count {
                terminal.time.advance(by: .seconds(1))
                terminal.handle(.punch(code: nil))
            }
        }

        /// Everything that was ever recorded, also what is overwritten by now.
        var ever: [EmulatedRecord] {
            past
                + terminal.observations.compactMap {
                    if case .recorded(let record) = $0 { record } else { nil }
                }
        }
    }

    @Test(
        "what is new comes at the next poll, once, though the count stays; nothing is reset",
        arguments: EmulatedRecordForm.allCases)
    func countStays(form: EmulatedRecordForm) async throws {
        let rig = try Rig { $0.recordForm = form }
        let session = try await Driving.open(rig.terminal)
        var reading = try await Driving.read(session)
        for count in [1, 7, 8, 9, 55, 56, 57, 700, 0, 1] {
            rig.punch(count)
            #expect(rig.terminal.truth.count == 3_000)
            reading = try await Driving.read(session, after: reading.cursor)
            #expect(Essence.differences(reading.records, rig.ever.suffix(count)) == [], "\(count) new")
            #expect(reading.resets.isEmpty && reading.rejected.isEmpty)
        }
        await session.close()
    }

    @Test("costs the end of the log, and four requests where nothing is new")
    func cost() async throws {
        let rig = try Rig(records: 40_000, capacity: 40_000)
        let session = try await Driving.open(rig.terminal)
        let first = try await Driving.read(session)
        let full = rig.terminal.sentByteCount
        rig.punch(20)
        let reading = try await Driving.read(session, after: first.cursor)
        #expect(reading.records.count == 20)
        #expect((rig.terminal.sentByteCount - full) * 200 < full)
        let requests = rig.terminal.requests.count
        #expect(try await Driving.read(session, after: reading.cursor).records.isEmpty)
        #expect(rig.terminal.requests.count - requests == 4)
        await session.close()
    }

    @Test("a log that grows to its limit between two polls, and moves by the rest")
    func growsAndMoves() async throws {
        let rig = try Rig(records: 2_990)
        let session = try await Driving.open(rig.terminal)
        let first = try await Driving.read(session)
        rig.punch(30)
        let reading = try await Driving.read(session, after: first.cursor)
        #expect(Essence.differences(reading.records, rig.ever.suffix(30)) == [])
        #expect(reading.resets.isEmpty)
        await session.close()
    }

    @Test(
        "the records that were read last are recognised down to one; without any, everything is read and a gap is told",
        arguments: [
            (2_991, false), (2_992, false), (2_993, false), (2_999, false), (3_000, true), (3_001, true), (7_000, true),
        ])
    func overtaken(count: Int, isGap: Bool) async throws {
        let rig = try Rig()
        let session = try await Driving.open(rig.terminal)
        let first = try await Driving.read(session)
        rig.punch(count)
        let reading = try await Driving.read(session, after: first.cursor)
        #expect(Essence.differences(reading.records, isGap ? rig.ever.suffix(3_000) : rig.ever.suffix(count)) == [])
        #expect(reading.resets.map(\.reason) == (isGap ? [.logRewritten] : []))
        #expect(reading.resets.allSatisfy { $0.message.contains("overwritten") })
        rig.punch(5)
        let next = try await Driving.read(session, after: reading.cursor)
        #expect(next.records.count == 5 && next.resets.isEmpty)
        await session.close()
    }

    @Test("is not skipped either where the terminal does not say what its log can hold")
    func unknownCapacity() async throws {
        let rig = try Rig(hidesCapacity: true)
        let session = try await Driving.open(rig.terminal)
        let first = try await Driving.read(session)
        rig.punch(3)
        let reading = try await Driving.read(session, after: first.cursor)
        #expect(Essence.differences(reading.records, rig.ever.suffix(3)) == [])
        #expect(reading.resets.isEmpty)
        await session.close()
    }

    @Test("a terminal that deletes some of the oldest at once when it is full is followed in the same way")
    func deletesInBlocks() async throws {
        let rig = try Rig(records: 19_900, capacity: 20_000)
        let session = try await Driving.open(rig.terminal)
        var reading = try await Driving.read(session)
        for (gone, new) in [(500, 20), (300, 300), (999, 1_200)] {
            rig.terminal.replaceLog { $0.removeFirst(gone) }
            rig.punch(new)
            reading = try await Driving.read(session, after: reading.cursor)
            #expect(Essence.differences(reading.records, rig.ever.suffix(new)) == [])
            #expect(reading.resets.isEmpty)
        }
        await session.close()
    }

    @Test("the audit reads all of it, brings nothing twice, and from then on a rewritten log is found out again")
    func audit() async throws {
        let rig = try Rig()
        let session = try await Driving.open(rig.terminal)
        var reading = try await Driving.read(session)
        rig.punch(10)
        reading = try await Driving.read(session, after: reading.cursor)
        #expect(try ZKTecoCursor(#require(reading.cursor)).isDigestUnknown)
        for new in [0, 4] {
            rig.terminal.time.advance(by: .seconds(86_401))
            rig.punch(new)
            reading = try await Driving.read(session, after: reading.cursor)
            #expect(Essence.differences(reading.records, rig.ever.suffix(new)) == [])
            #expect(reading.resets.isEmpty)
            #expect(try !ZKTecoCursor(#require(reading.cursor)).isDigestUnknown)
        }
        rig.terminal.replaceLog { $0.swapAt(3, 900) }
        rig.terminal.time.advance(by: .seconds(86_401))
        reading = try await Driving.read(session, after: reading.cursor)
        #expect(reading.resets.map(\.reason) == [.logRewritten])
        #expect(reading.records.count == 3_000)
        await session.close()
    }

    @Test(
        "over UDP, from terminals that give no tail, and by the direct read",
        arguments: [
            EmulatedChunkStart.refused, .ignored, .honoured,
        ], [EmulatedTransports.tcp, .udp])
    func otherWays(start: EmulatedChunkStart, transports: EmulatedTransports) async throws {
        for refusal in [nil, Reply.error] {
            let rig = try Rig(records: 1_000, capacity: 1_000) {
                $0.chunkStart = start
                $0.transports = transports
                $0.preparationRefusal = refusal
            }
            let session = try await Driving.open(rig.terminal, ["transport": transports.rawValue])
            var reading = try await Driving.read(session)
            for count in [1, 20, 0, 300] {
                rig.punch(count)
                reading = try await Driving.read(session, after: reading.cursor)
                #expect(Essence.differences(reading.records, rig.ever.suffix(count)) == [])
                #expect(reading.resets.isEmpty)
            }
            let isWhole = refusal != nil || start == .honoured
            #expect(try ZKTecoCursor(#require(reading.cursor)).refusesTails == !isWhole)
            await session.close()
        }
    }

    @Test("from any cursor of any page the rest comes once, though the log has moved since")
    func everyCursor() async throws {
        let rig = try Rig(records: 200, capacity: 200)
        let session = try await Driving.open(rig.terminal)
        var cursors: [(Cursor?, Int)] = []
        while true {
            let page = try await session.poll(PollRequest(cursor: cursors.last?.0, limit: 30))
            cursors.append((page.cursor, (cursors.last?.1 ?? 0) + page.records.count))
            if !page.hasMore { break }
        }
        for (cursor, count) in cursors.reversed() {
            rig.punch(1)
            let reading = try await Driving.read(session, after: cursor)
            #expect(reading.resets.isEmpty)
            #expect(Essence.differences(reading.records, rig.ever.dropFirst(count)) == [], "after \(count)")
        }
        await session.close()
    }

    @Test("after many polls with as many punches as chance wants, the journal lacks only what nobody could read")
    func chance() async throws {
        let random = SeededRandom(seed: 7)
        // Some people punch several times in a second: such records are equal to the byte.
        let rig = try Rig(records: 400, capacity: 500) { $0.people = 9 }
        let session = try await Driving.open(rig.terminal)
        var journal: Set<Essence> = []
        var unread: Set<Essence> = []
        var cursor: Cursor?
        for _ in 0..<120 {
            let reading = try await Driving.read(session, after: cursor, limit: 90)
            cursor = reading.cursor
            journal.formUnion(reading.records.map(Essence.init))
            #expect(journal.isSuperset(of: rig.terminal.truth.map(Essence.init)))
            let lost = Set(rig.ever.map(Essence.init)).subtracting(journal).subtracting(unread)
            #expect(lost.isEmpty || reading.resets.map(\.reason) == [.logRewritten])
            unread.formUnion(lost)
            let count = Int(random.next() % 40) * (random.next() % 10 == 0 ? 20 : 1)
            for _ in 0..<count {
                if random.next() % 3 > 0 { rig.terminal.time.advance(by: .seconds(1)) }
                rig.terminal.handle(.punch(code: nil))
            }
        }
        #expect(!unread.isEmpty)
        await session.close()
    }

    @Test("is cleared like any other: what moved while it was read is read before")
    func cleared() async throws {
        let rig = try Rig()
        let session = try await Driving.open(rig.terminal, ["clear_log": "true"])
        let first = try await Driving.read(session)
        rig.punch(3)
        try await session.holdRecording(for: .seconds(60))
        let rest = try await Driving.read(session, after: first.cursor)
        #expect(rest.records.count == 3 && rest.resets.isEmpty)
        let announced = try session.cursorForClearing(try #require(rest.cursor))
        try await session.clearLog(coveredBy: announced)
        await session.releaseRecording()
        rig.punch(2)
        let after = try await Driving.read(session, after: announced)
        #expect(after.resets.map(\.reason) == [.logCleared])
        #expect(after.records.count == 2)
        await session.close()
    }
}
