import DeviceKit
import Journal
import Testing

@testable import MusterHost

@Suite("The delivery machine")
struct DeliveryMachineTests {
    private let lobby: DeviceID
    private var chance = SplitMix64(seed: 1)
    private let fault = SinkFault(.transient, "no answer")

    init() throws { lobby = try #require(DeviceID("lobby")) }

    private func machine(at position: Int64 = 0) -> DeliveryMachine {
        DeliveryMachine(
            DeliveryLanes(SinkProgress(position: position, lanes: [lobby: .following]), devices: [lobby]))
    }

    private func page(_ positions: ClosedRange<Int64>) -> DeliverablePage {
        DeliverablePage(
            punches: positions.map { JournaledPunch(position: $0, punch: deliveryPunch(lobby, second: $0)) },
            scannedTo: positions.upperBound)
    }

    private func nothing(to position: Int64) -> DeliverablePage { DeliverablePage(punches: [], scannedTo: position) }

    /// A machine that has just asked for its first page.
    private func reading(at position: Int64 = 0) -> DeliveryMachine {
        var machine = machine(at: position)
        machine.opened()
        machine.readRedeliveries([], selected: [])
        return machine
    }

    @Test("opens, reads, delivers, stores the position and reads on")
    func course() {
        var machine = machine()
        #expect(machine.next() == .open)
        machine.opened()
        #expect(machine.next() == .readRedeliveries(limit: 250))
        machine.readRedeliveries([], selected: [])
        let all = DeliveryLanes.Stretch(after: 0, through: nil, devices: [lobby])
        #expect(machine.next() == .read(all, limit: 250))
        machine.take(page(1...3), generation: 1)
        #expect(machine.next() == .deliver(page(1...3).punches))
        machine.delivered(.allAccepted)
        #expect(machine.next() == .save(SinkDelivery(position: 3, delivered: 3)))
        machine.saved()
        machine.take(nothing(to: 3), generation: 8)
        #expect(machine.next() == .waitForChange(since: 8))
        machine.woke()
        #expect(machine.next() == .read(.init(after: 3, through: nil, devices: [lobby]), limit: 250))
    }

    @Test("devices that change all the time do not hold up punches, nor punches the news of devices")
    func news() {
        var machine = reading()
        for start in [1, 4] as [Int64] {
            machine.devicesChanged()
            #expect(machine.next() == .describe)
            machine.described()
            machine.devicesChanged()
            #expect(machine.next() == .read(.init(after: start - 1, through: nil, devices: [lobby]), limit: 250))
            machine.take(page(start...start + 2), generation: 1)
            machine.delivered(.allAccepted)
            machine.saved()
            #expect(machine.next() == .describe)
        }
        machine.described()
        machine.devicesChanged()
        machine.take(nothing(to: 6), generation: 2)
        #expect(machine.next() == .describe)
        machine.described()
        machine.take(nothing(to: 6), generation: 3)
        #expect(machine.next() == .waitForChange(since: 3))
    }

    @Test("batches grow while they are full, up to a thousand")
    func growth() {
        var machine = reading()
        var limits: [Int] = []
        var position: Int64 = 0
        for _ in 0..<4 {
            guard case .read(_, let limit) = machine.next() else { break }
            limits.append(limit)
            machine.take(page(position + 1...position + Int64(limit)), generation: 0)
            position += Int64(limit)
            machine.delivered(.allAccepted)
            machine.saved()
        }
        #expect(limits == [250, 500, 1_000, 1_000])
        #expect(machine.state == .ready)
    }

    @Test("a failing sink is reported once, waited for ever longer, and reported once when it is back")
    mutating func outage() {
        var machine = reading()
        machine.take(page(1...3), generation: 0)
        var delays: [Duration] = []
        var notices: [DeliveryMachine.Notice] = []
        for _ in 0..<12 {
            machine.failed(fault, using: &chance)
            if case .report(let notice) = machine.next() { notices.append(notice) }
            guard case .wait(let delay) = machine.next() else { break }
            delays.append(delay)
            machine.woke()
            #expect(machine.next() == .open)
            machine.opened()
            machine.take(page(1...1), generation: 0)
        }
        #expect(notices == [.failing(fault)])
        #expect(delays.count == 12)
        #expect(zip(delays, [1, 2, 4, 8]).allSatisfy { $0 <= .seconds($1) && $0 >= .seconds($1) / 2 })
        #expect(delays.suffix(2).allSatisfy { $0 <= .seconds(300) && $0 >= .seconds(150) })
        machine.delivered(.allAccepted)
        #expect(machine.next() == .report(.recovered(failures: 12)))
        #expect(machine.next() == .save(SinkDelivery(position: 1, delivered: 1)))
    }

    @Test("after a failure the same punches come again, in smaller batches")
    mutating func retry() {
        var machine = reading()
        machine.take(page(1...200), generation: 0)
        machine.failed(fault, using: &chance)
        _ = machine.next()
        machine.woke()
        machine.opened()
        #expect(machine.next() == .read(.init(after: 0, through: nil, devices: [lobby]), limit: 125))
    }

    @Test("a fault that only an operator can mend is looked at again every five minutes")
    mutating func permanent() {
        var machine = machine()
        machine.failed(SinkFault(.permanent, "no such table"), using: &chance)
        _ = machine.next()
        #expect(machine.next() == .wait(.seconds(300)))
    }

    @Test("refused punches are stored with the position; a refusal of something else is not")
    func rejections() {
        var machine = reading()
        machine.take(page(5...8), generation: 0)
        machine.delivered(
            Delivery(rejected: [.init(position: 6, reason: "unknown person"), .init(position: 99, reason: "?")]))
        #expect(
            machine.next()
                == .save(
                    SinkDelivery(
                        position: 8, delivered: 3, rejected: [.init(position: 6, reason: "unknown person")])))
    }

    @Test("when the journal has no room for the position, only the position is tried again")
    mutating func outOfRoom() {
        var machine = reading()
        machine.take(page(1...3), generation: 0)
        machine.delivered(.allAccepted)
        let save = machine.next()
        machine.savingFailed(using: &chance)
        guard case .wait = machine.next() else {
            Issue.record("does not wait")
            return
        }
        machine.woke()
        #expect(machine.next() == save)
    }

    @Test("stopping delivers what is there, then finishes")
    func drain() {
        var machine = reading()
        machine.stop()
        machine.take(page(1...3), generation: 0)
        #expect(machine.next() == .deliver(page(1...3).punches))
        machine.delivered(.allAccepted)
        machine.saved()
        guard case .read = machine.next() else {
            Issue.record("does not look for more")
            return
        }
        machine.take(nothing(to: 3), generation: 0)
        #expect(machine.next() == .finish)
        #expect(machine.state == .finished)
    }

    @Test("stopping does not wait for a sink that fails")
    mutating func stopWhileFailing() {
        var machine = machine()
        machine.failed(fault, using: &chance)
        #expect(machine.next() == .report(.failing(fault)))
        machine.stop()
        #expect(machine.next() == .finish)
    }

    @Test("halting finishes the batch that is under way, and nothing more")
    func halt() {
        var machine = reading()
        machine.take(page(1...3), generation: 0)
        machine.halt()
        #expect(!machine.isBetweenBatches)
        #expect(machine.next() == .deliver(page(1...3).punches))
        machine.delivered(.allAccepted)
        #expect(machine.next() == .save(SinkDelivery(position: 3, delivered: 3)))
        machine.saved()
        #expect(machine.next() == .finish)
        var closed = self.machine()
        closed.halt()
        #expect(closed.next() == .finish, "what is not open is not opened")
    }

    @Test("other devices are served from the next batch on")
    mutating func adjust() throws {
        let gate = try #require(DeviceID("gate"))
        var machine = reading()
        machine.take(page(1...3), generation: 0)
        let lanes = DeliveryLanes(SinkProgress(position: 3, lanes: [lobby: .following]), devices: [lobby, gate])
        machine.adjust(lanes, backoff: Backoff(base: .seconds(1), ceiling: .seconds(300)))
        #expect(machine.next() == .deliver(page(1...3).punches), "not in the middle of a batch")
        machine.delivered(.allAccepted)
        machine.saved()
        machine.take(nothing(to: 3), generation: 7)
        #expect(machine.next() == .waitForChange(since: 7))
        machine.adjust(lanes, backoff: Backoff(base: .seconds(1), ceiling: .seconds(300)))
        #expect(machine.next() == .read(.init(after: 0, through: 3, devices: [gate]), limit: 250))
    }

    @Test("an event that comes at the wrong time changes nothing")
    mutating func wrongEvents() {
        var machine = reading()
        machine.opened()
        machine.delivered(.allAccepted)
        machine.saved()
        machine.savingFailed(using: &chance)
        machine.failed(fault, using: &chance)
        machine.woke()
        #expect(machine.state == .ready)
        machine.take(nothing(to: 0), generation: 4)
        machine.take(page(1...2), generation: 5)
        machine.failed(fault, using: &chance)
        #expect(machine.state == .caughtUp(generation: 4))
    }
}

extension DeliveryMachine {
    /// A page all of which the sink wants.
    fileprivate mutating func take(_ page: DeliverablePage, generation: UInt64) {
        read(page, selected: page.punches, generation: generation)
    }
}
