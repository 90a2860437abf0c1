import DeviceKit
import DeviceKitTesting
import Synchronization

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

/// An emulated terminal at the other end of links that exist in memory only: the driver and the emulator without a
/// socket, in whatever time the test keeps.
final class EmulatedTerminal: Dialer {
    /// How the terminal's bytes arrive.
    enum Delivery: Sendable, Hashable {
        case framed
        /// All that is ready, in one read.
        case coalesced
        case pieces(Int)
        /// The closing ACK_OK of a chunk before its last data.
        case endFirst
    }

    private struct State {
        var machine: EmulatorMachine
        var truth: [EmulatedRecord]
        var links: [Int: MemoryLink] = [:]
        var nextLink = 1
        var acknowledged = 0
        var requests: [UInt16] = []
        var observations: [EmulatorObservation] = []
        var network: (inwards: DatagramFaults, outwards: DatagramFaults)
        var endpoints: [Endpoint] = []
        /// Bytes that the terminal has sent.
        var sentByteCount = 0
        var eventsSent = 0
    }

    let time: ManualTime
    private let delivery: Delivery
    private let state: Mutex<State>
    private let transports: EmulatedTransports
    /// Changes a frame on its way to the driver; `nil` loses it.
    private let tamper: @Sendable (Packet) -> Packet?

    init(
        _ options: EmulatorOptions = EmulatorOptions(), time: ManualTime = ManualTime(),
        delivery: Delivery = .framed, tamper: @escaping @Sendable (Packet) -> Packet? = { $0 }
    ) throws {
        self.time = time
        self.delivery = delivery
        self.tamper = tamper
        let (machine, records) = try EmulatorMachine.make(options, restoring: nil, at: Self.moment(time))
        transports = options.transports
        state = Mutex(
            State(
                machine: machine, truth: records,
                network: (
                    DatagramFaults(options.datagramFaults, seed: options.seed),
                    DatagramFaults(options.datagramFaults, seed: ~options.seed)
                )))
    }

    private static func moment(_ time: ManualTime) -> EmulatorMoment {
        EmulatorMoment(wall: time.now(), uptime: time.uptime())
    }

    /// What the terminal has recorded, oldest first.
    var truth: [EmulatedRecord] { state.withLock { $0.truth } }
    var acknowledged: Int { state.withLock { $0.acknowledged } }
    /// Commands of all clients, in order.
    var requests: [UInt16] { state.withLock { $0.requests } }
    /// What else was seen at the terminal, in order.
    var observations: [EmulatorObservation] { state.withLock { $0.observations } }
    /// A copy of the terminal as it is now.
    var machine: EmulatorMachine { state.withLock { $0.machine } }

    /// Somebody changes the terminal on the spot.
    func change(_ body: (inout EmulatorMachine) -> Void) { state.withLock { body(&$0.machine) } }

    /// Where clients wanted to go, in order.
    var endpoints: [Endpoint] { state.withLock { $0.endpoints } }
    var sentByteCount: Int { state.withLock { $0.sentByteCount } }
    /// Live events, each repetition counted.
    var eventsSent: Int { state.withLock { $0.eventsSent } }
    /// Datagrams that the network lost, both ways.
    var lostDatagrams: Int { state.withLock { $0.network.inwards.lost + $0.network.outwards.lost } }
    var openLinks: Int { state.withLock { $0.links.count } }

    /// No link holds bytes that nobody has read.
    var isQuiet: Bool { state.withLock { $0.links.values.allSatisfy(\.isEmpty) } }

    func connect(to endpoint: Endpoint, timeout: Duration) async throws(DeviceFault) -> any Transport {
        let answers =
            (transports == .both || transports.rawValue == endpoint.kind.rawValue)
            && !(endpoint.kind == .tcp && machine.faults.refusesConnections)
        if !answers, endpoint.kind == .tcp {
            state.withLock { $0.endpoints.append(endpoint) }
            throw DeviceFault(.refused, "\(endpoint) refuses connections")
        }
        let link = state.withLock { state in
            state.endpoints.append(endpoint)
            let link = MemoryLink(id: state.nextLink, kind: endpoint.kind, terminal: self)
            state.nextLink += 1
            if answers { state.links[link.id] = link }
            return link
        }
        // Over UDP a port that nobody listens on is as silent as one that loses everything.
        guard answers else { return link }
        handle(.connected(link.id, endpoint.kind))
        return link
    }

    func handle(_ input: EmulatorInput) {
        let moment = Self.moment(time)
        let (sent, closed) = state.withLock { state in
            var sent: [(MemoryLink, Packet)] = []
            var closed: [MemoryLink] = []
            for effect in state.machine.handle(input, at: moment) {
                switch effect {
                case .keep(let records): state.truth += records
                case .forgetLog: state.truth = []
                case .overwrite(let count): state.truth.removeFirst(min(count, state.truth.count))
                case .setRate, .sendDamaged: break
                case .send(let id, let packet, _): if let link = state.links[id] { sent.append((link, packet)) }
                case .close(let id): if let link = state.links.removeValue(forKey: id) { closed.append(link) }
                case .observe(.eventAcknowledged): state.acknowledged += 1
                case .observe(.eventSent): state.eventsSent += 1
                case .observe(.request(_, let command)): state.requests.append(command)
                case .observe(let observation): state.observations.append(observation)
                }
            }
            return (sent, closed)
        }
        for (id, frames) in Dictionary(grouping: sent, by: { $0.0.id }) {
            guard let link = sent.first(where: { $0.0.id == id })?.0 else { continue }
            deliver(frames.compactMap { tamper($0.1) }, to: link)
        }
        for link in closed where link.kind == .tcp { link.push(nil) }
    }

    /// A datagram of a client, through the network.
    func receive(_ datagram: [UInt8], on id: Int) {
        for arrived in state.withLock({ $0.network.inwards.pass(datagram) }) {
            if let packet = try? Packet(bytes: arrived[...]) { handle(.received(id, packet)) }
        }
    }

    /// Lets time pass whenever everybody waits, until `body` has ended.
    func whileTimePasses<Value: Sendable>(_ body: @Sendable () async throws -> Value) async rethrows -> Value {
        let clock = Task {
            var quiet = 0
            while !Task.isCancelled {
                quiet = isQuiet ? quiet + 1 : 0
                if quiet > 20, let step = nextStep {
                    time.advance(by: step)
                    handle(.timePassed)
                    quiet = 0
                }
                await Task.yield()
            }
        }
        defer { clock.cancel() }
        return try await body()
    }

    /// Until somebody wakes, or the terminal does something by itself.
    private var nextStep: Duration? {
        let deadline = state.withLock { $0.machine.nextDeadline }.map { max($0 - time.uptime(), .zero) }
        return [time.timeToNextWake, deadline].compactMap { $0 }.min()
    }

    private func deliver(_ packets: [Packet], to link: MemoryLink) {
        if link.kind == .udp {
            for packet in packets {
                let datagrams = state.withLock { state in
                    let datagrams = state.network.outwards.pass(packet.bytes)
                    state.sentByteCount += datagrams.map(\.count).reduce(0, +)
                    return datagrams
                }
                for datagram in datagrams { link.push(datagram) }
            }
            return
        }
        var packets = packets
        if delivery == .endFirst, packets.count > 2 { packets.swapAt(packets.count - 1, packets.count - 2) }
        let frames = packets.map(Frame.bytes)
        state.withLock { $0.sentByteCount += frames.map(\.count).reduce(0, +) }
        switch delivery {
        case .framed, .endFirst: for frame in frames { link.push(frame) }
        case .coalesced: link.push(Array(frames.joined()))
        case .pieces(let count):
            let all = Array(frames.joined())
            for start in stride(from: 0, to: all.count, by: count) {
                link.push(Array(all[start..<min(start + count, all.count)]))
            }
        }
    }

    func linkClosed(_ id: Int) {
        state.withLock { _ = $0.links.removeValue(forKey: id) }
        handle(.disconnected(id))
    }

    /// Replaces what the terminal holds, as a clearing or another terminal at the same address would.
    func replaceLog(_ change: (inout [EmulatedRecord]) -> Void) {
        state.withLock { state in
            change(&state.truth)
            state.machine.log = RecordLog(recordByteCount: state.machine.layout.byteCount)
            for record in state.truth { state.machine.log.append(state.machine.bytes(of: record)) }
        }
    }

    func setOption(_ name: String, _ value: String) { state.withLock { $0.machine.settings[name] = value } }
}

/// One link in memory.
final class MemoryLink: Transport {
    let id: Int
    let kind: Endpoint.Kind
    private let terminal: EmulatedTerminal
    private let decoder = Mutex(FrameDecoder())
    private let inbox = AsyncStream.makeStream(of: [UInt8].self)
    private let unread = Mutex(0)

    var isEmpty: Bool { unread.withLock { $0 } == 0 }

    init(id: Int, kind: Endpoint.Kind, terminal: EmulatedTerminal) {
        self.id = id
        self.kind = kind
        self.terminal = terminal
    }

    /// `nil` closes.
    func push(_ bytes: [UInt8]?) {
        guard let bytes else { return inbox.continuation.finish() }
        guard !bytes.isEmpty else { return }
        unread.withLock { $0 += 1 }
        inbox.continuation.yield(bytes)
    }

    func send(_ bytes: [UInt8]) async throws(DeviceFault) {
        if kind == .udp { return terminal.receive(bytes, on: id) }
        let packets = decoder.withLock { decoder in
            decoder.append(bytes)
            var packets: [Packet] = []
            while let packet = try? decoder.next() { packets.append(packet) }
            return packets
        }
        for packet in packets { terminal.handle(.received(id, packet)) }
    }

    func receive() async throws(DeviceFault) -> [UInt8]? {
        for await bytes in inbox.stream {
            unread.withLock { $0 -= 1 }
            return bytes
        }
        if Task.isCancelled { throw .cancelled }
        return nil
    }

    func close() async {
        inbox.continuation.finish()
        terminal.linkClosed(id)
    }
}
