import DeviceKit
import DeviceKitTesting
import Testing

@Suite("Work with a limit", .timeLimit(.minutes(1)))
struct DeadlineTests {
    private let time = ManualTime()

    /// Waits to be cancelled, and tells that it was.
    @Sendable private func patient() async -> String {
        try? await time.sleep(for: .seconds(1_000_000))
        return Task.isCancelled ? "cancelled" : "waited"
    }

    @Test("work that ends in time is finished, and its timer is taken back")
    func finished() async {
        guard case .finished(let value) = await time.withDeadline(.seconds(10), { 7 }) else {
            Issue.record("the limit was not reached")
            return
        }
        #expect(value == 7)
        #expect(time.timeToNextWake == nil)
    }

    @Test("work that takes longer is cancelled at the limit, and its last word is kept")
    func expired() async {
        async let outcome = time.withDeadline(.seconds(10)) { await patient() }
        await time.waitForSleepers(2)
        time.advance(by: .seconds(10))
        guard case .expired(let value) = await outcome else {
            Issue.record("the limit was reached")
            return
        }
        #expect(value == "cancelled")
    }

    @Test("work that was cancelled from outside has not expired")
    func cancelled() async {
        let task = Task { await time.withDeadline(.seconds(10)) { await patient() } }
        await time.waitForSleepers(2)
        task.cancel()
        guard case .finished(let value) = await task.value else {
            Issue.record("no limit was reached")
            return
        }
        #expect(value == "cancelled")
    }

    @Test("a signal interrupts work, unless the work is faster")
    func interruption() async {
        let fast = await withInterruption(by: { _ = await patient() }, { 7 })
        #expect(fast == (7, false))
        let slow = await withInterruption(by: {}, { await patient() })
        #expect(slow == ("cancelled", true))
    }
}
