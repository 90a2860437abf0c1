import DeviceKit
import Synchronization
import Testing

@testable import MusterHost

@Suite("Turns at a site", .timeLimit(.minutes(1)))
struct SiteGateTests {
    private let devices: [DeviceID] = (0..<6).compactMap { DeviceID("d\($0)") }

    @Test("so many at a time, the others in the order in which they came, each once")
    func order() {
        var queue = SiteQueue(limit: 2)
        let entered = [0, 1, 2, 3, 2, 0].map { queue.enter(devices[$0]) }
        // One that is inside may ask again.
        #expect(entered == [true, true, false, false, false, true])
        #expect(queue.waiting == [devices[2], devices[3]])
        var admitted = queue.leave(devices[0])
        #expect(admitted == [devices[2]])
        // Who comes back stands at the end; who gives up is passed over.
        let isInside = queue.enter(devices[0])
        #expect(!isInside)
        admitted = queue.leave(devices[4]) + queue.leave(devices[3])
        #expect(admitted.isEmpty)
        admitted = queue.leave(devices[1])
        #expect(admitted == [devices[0]])
        #expect(queue.inside == [devices[0], devices[2]])
        admitted = queue.setLimit(1)
        #expect(admitted.isEmpty)
        _ = queue.enter(devices[5])
        admitted = queue.leave(devices[2])
        #expect(admitted.isEmpty)
        admitted = queue.leave(devices[0])
        #expect(admitted == [devices[5]])
    }

    @Test("a device without a limited site never waits; turns are told once; new limits hold at once")
    func gate() {
        let gate = SiteGate([.init(name: "hq", concurrency: 1)])
        let told = Mutex<[Int]>([])
        func enter(_ number: Int, _ site: String?) -> Bool {
            gate.enter(devices[number], site: site) { told.withLock { $0.append(number) } }
        }
        #expect(enter(0, "hq") && enter(1, nil) && enter(2, "elsewhere"))
        #expect(!enter(3, "hq") && !enter(4, "hq") && !enter(5, "hq"))
        gate.leave(devices[0])
        gate.leave(devices[0])
        #expect(told.withLock { $0 } == [3])
        // One that gives up waiting is passed over.
        gate.leave(devices[4])
        gate.update([.init(name: "hq", concurrency: 2)])
        #expect(told.withLock { $0 } == [3, 5])
        #expect(!enter(0, "hq"))
        gate.update([])
        #expect(told.withLock { $0 } == [3, 5, 0])
        #expect(enter(4, "hq"))
    }

    @Test("whoever waits in a task gives its place up when it is cancelled")
    func waiting() async throws {
        let gate = SiteGate([.init(name: "hq", concurrency: 1)])
        let devices = devices
        try await gate.wait(devices[0], site: "hq")
        let second = Task { try await gate.wait(devices[1], site: "hq") }
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        let third = Task { try await gate.wait(devices[2], site: "hq") }
        gate.leave(devices[0])
        try await third.value
    }
}
