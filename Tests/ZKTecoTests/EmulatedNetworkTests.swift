import DeviceKit
import Testing

@testable import ZKTecoEmulator
@testable import ZKTecoWire

@Suite("The emulator's network")
struct EmulatedNetworkTests {
    private static func datagrams(_ count: Int) -> [[UInt8]] { (0..<count).map { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } }

    @Test("loses, doubles and delays in the given shares, the same ones for a seed, and makes nothing up")
    func faults() {
        let rates = DatagramFaults.Rates(loss: 0.05, duplication: 0.05, reordering: 0.05)
        var (one, same, other) = (
            DatagramFaults(rates, seed: 3), DatagramFaults(rates, seed: 3), DatagramFaults(rates, seed: 4)
        )
        let sent = Self.datagrams(10_000)
        let arrived = sent.flatMap { one.pass($0) }
        #expect(arrived == sent.flatMap { same.pass($0) })
        #expect(arrived != sent.flatMap { other.pass($0) })
        for count in [one.lost, one.doubled, one.delayed] { #expect((350...650).contains(count)) }
        #expect(Set(arrived).isSubset(of: Set(sent)))
        // What is held back passes within a few others.
        #expect(arrived.count >= sent.count - one.lost + one.doubled - 16)
        var clear = DatagramFaults(DatagramFaults.Rates(), seed: 1)
        #expect(sent.flatMap { clear.pass($0) } == sent)
    }

    @Test("clients over UDP are known by their address, forgotten after silence, and bounded")
    func sessions() {
        var sessions = DatagramSessions<String>(lifetime: .seconds(60))
        #expect(sessions.client(at: "a", now: .zero) == nil)
        sessions.add(1, at: "a", now: .zero)
        sessions.add(2, at: "b", now: .seconds(50))
        #expect(sessions.client(at: "a", now: .seconds(55)) == 1)
        #expect(sessions.removeExpired(now: .seconds(112)) == [2])
        #expect(sessions.client(at: "b", now: .seconds(112)) == nil)
        sessions.remove(1)
        #expect(sessions.client(at: "a", now: .seconds(112)) == nil)
        for id in 0..<DatagramSessions<String>.capacity {
            sessions.add(id, at: "x\(id)", now: .seconds(200 + Int64(id)))
        }
        #expect(sessions.removeExpired(now: .seconds(210)) == [0])
    }

    @Test("an event is repeated until it is acknowledged, and none goes before")
    func repetition() {
        var queue = EventQueue(repeatInterval: .seconds(1))
        #expect(queue.push([1], now: .zero) == [[1]])
        #expect(queue.push([2], now: .milliseconds(100)) == [])
        #expect(queue.deadline == .seconds(1))
        #expect(queue.advance(now: .milliseconds(999)) == [])
        #expect(queue.advance(now: .seconds(1)) == [[1]])
        #expect(queue.advance(now: .seconds(2)) == [[1]])
        let answer = queue.acknowledge(now: .milliseconds(2_100))
        #expect(answer.counted && answer.payloads == [[2]])
        #expect(queue.acknowledge(now: .milliseconds(2_200)).counted)
        #expect(!queue.acknowledge(now: .milliseconds(2_300)).counted)
        #expect(queue.deadline == nil)
        #expect([queue.sent, queue.acknowledged, queue.repeated] == [2, 2, 2])
    }

    @Test("an event that nobody acknowledges is given up in the end")
    func givingUp() {
        var queue = EventQueue(repeatInterval: .seconds(1))
        var sent = queue.push([1], now: .zero).count
        for second in 1...(EventQueue.largestRepetition + 5) { sent += queue.advance(now: .seconds(second)).count }
        #expect(sent == EventQueue.largestRepetition + 1)
        #expect(queue.deadline == nil)
    }

    private static let moment = EmulatorMoment(wall: Instant(secondsSince1970: 1_767_600_000), uptime: .zero)

    private static func packets(_ effects: [EmulatorEffect]) -> [Packet] {
        effects.compactMap { effect in
            if case .send(_, let packet, _) = effect { return packet }
            return nil
        }
    }

    @Test("a CONNECT that comes twice over UDP opens one session, another one a new one")
    func opening() throws {
        var (machine, _) = try EmulatorMachine.make(EmulatorOptions(), restoring: nil, at: Self.moment)
        _ = machine.handle(.connected(1, .udp), at: Self.moment)
        let connect = Packet(code: Command.connect, session: 0, replyNumber: 0)
        let first = Self.packets(machine.handle(.received(1, connect), at: Self.moment))
        let second = Self.packets(machine.handle(.received(1, connect), at: Self.moment))
        #expect(first == second && first.count == 1)
        let later = EmulatorMoment(wall: Self.moment.wall, uptime: .seconds(20))
        #expect(Self.packets(machine.handle(.received(1, connect), at: later)).first?.session != first.first?.session)
    }

    @Test(
        "over UDP a set of 1,016 bytes is said at once, a larger one in datagrams of 1,024", arguments: [true, false])
    func datagramSizes(_ numbersData: Bool) throws {
        for (records, isInline) in [(25, true), (26, false)] {
            var options = EmulatorOptions()
            options.records = records
            options.numbersData = numbersData
            var (machine, _) = try EmulatorMachine.make(options, restoring: nil, at: Self.moment)
            _ = machine.handle(.connected(1, .udp), at: Self.moment)
            let requests = [
                Packet(code: Command.connect, session: 0, replyNumber: 0),
                Packet(code: Command.prepareBuffer, session: 1, replyNumber: 1, payload: BulkRequest.log.payload),
                Packet(
                    code: Command.readBuffer, session: 1, replyNumber: 2,
                    payload: ChunkRequest(start: 0, byteCount: 16_384).payload),
            ]
            let answers = requests.map { Self.packets(machine.handle(.received(1, $0), at: Self.moment)) }
            #expect((answers[1].first?.code == Command.data) == isInline)
            guard !isInline else { continue }
            let data = answers[2].filter { $0.code == Command.data }
            #expect(data.map(\.payload.count) == [1_024, 20])
            #expect((data.map(\.session) == [0, 1]) == numbersData)
        }
    }
}
