import DeviceKit
import DeviceKitTesting
import Testing

@testable import MusterHost

@Suite("What a host tells its observers", .timeLimit(.minutes(1)))
struct HostEventsTests {
    private let time = ManualTime()

    @Test("everybody hears everything, with its moment, in order")
    func fanOut() {
        let (one, other) = (HostEventQueue(), HostEventQueue())
        let events = HostEvents(time: time, observers: [one])
        events.send(.journal(.hasRoom))
        events.add(other)
        time.advance(by: .seconds(1))
        events.send(.sink("audit", .delivered(3)))
        events.send(.journal(.forgotUndelivered(2)))
        let second = HostEventQueue.Entry(event: .sink("audit", .delivered(3)), at: time.now())
        #expect(one.take().map(\.event) == [.journal(.hasRoom), second.event, .journal(.forgotUndelivered(2))])
        #expect(other.take().first == second)
        #expect(one.take().isEmpty)
    }

    @Test("keeps what one consumer wants, counts what finds no room, and never waits")
    func bounds() {
        let queue = HostEventQueue(capacity: 2) { if case .sink = $0 { true } else { false } }
        let events = HostEvents(time: time, observers: [queue])
        events.send(.journal(.hasRoom))
        for count in 1...5 { events.send(.sink("audit", .delivered(count))) }
        #expect(queue.take().map(\.event) == [.sink("audit", .delivered(1)), .sink("audit", .delivered(2))])
        #expect(queue.droppedCount == 3)
        events.send(.sink("audit", .delivered(6)))
        #expect(queue.take().map(\.event) == [.sink("audit", .delivered(6))])
    }

    @Test("a consumer waits for what comes, and ends when it is cancelled")
    func waiting() async throws {
        let queue = HostEventQueue()
        async let first = queue.next()
        HostEvents(time: time, observers: [queue]).send(.journal(.hasRoom))
        #expect(try await first.map(\.event) == [.journal(.hasRoom)])
        let waiting = Task { try await queue.next() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }
}
