import DeviceKit
import DeviceKitTesting
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import MusterHost

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The end of the socket that systemd holds.
private final class NotifySocket: Sendable {
    let address: String
    private let descriptor: Int32

    init(isAbstract: Bool = false) throws {
        let name = "/tmp/muster-notify-\(UUID().uuidString)"
        address = isAbstract ? "@" + name : name
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var own = sockaddr_un()
        own.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &own.sun_path) { $0.copyBytes(from: Array(address.utf8)) }
        if isAbstract { withUnsafeMutableBytes(of: &own.sun_path) { $0[0] = 0 } }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \sockaddr_un.sun_path) ?? 2
        let length = socklen_t(offset + address.utf8.count + (isAbstract ? 0 : 1))
        let bound = withUnsafePointer(to: &own) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard bound == 0 else { throw CocoaError(.fileWriteUnknown) }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(descriptor)
        if address.hasPrefix("/") { unlink(address) }
    }

    /// Every message that has come, in order.
    func take() -> [String] {
        var messages: [String] = []
        var bytes = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count > 0 else { return messages }
            messages.append(String(decoding: bytes.prefix(count), as: UTF8.self))
        }
    }
}

@Suite("Telling systemd", .timeLimit(.minutes(1)))
struct ServiceManagerTests {
    @Test("sends the messages of sd_notify, one datagram each", arguments: [false, true])
    func messages(isAbstract: Bool) throws {
        let socket = try NotifySocket(isAbstract: isAbstract)
        let manager = ServiceManager(environment: ["NOTIFY_SOCKET": socket.address], process: 1)
        manager.ready()
        manager.status("two\nlines")
        manager.alive()
        manager.reloading()
        manager.stopping()
        let taken = socket.take()
        #expect(
            taken.filter { !$0.hasPrefix("RELOADING") } == ["READY=1", "STATUS=two lines", "WATCHDOG=1", "STOPPING=1"])
        let reloading = try #require(taken.first { $0.hasPrefix("RELOADING") })
        #expect(reloading.wholeMatch(of: /RELOADING=1\nMONOTONIC_USEC=[0-9]+/) != nil)
    }

    @Test("is quiet where nobody listens", arguments: [nil, "", "vsock:2:1", "/nowhere/at/all"])
    func silence(address: String?) {
        let manager = ServiceManager(environment: address.map { ["NOTIFY_SOCKET": $0] } ?? [:], process: 1)
        manager.ready()
        #expect(manager.isListening == (address == "/nowhere/at/all"))
    }

    @Test("knows how long the watchdog waits, when it watches this process")
    func watchdog() {
        func limit(_ environment: [String: String]) -> Duration? {
            ServiceManager(
                environment: ["NOTIFY_SOCKET": "/x"].merging(environment) { $1 }, process: 7
            ).watchdogLimit
        }
        #expect(limit(["WATCHDOG_USEC": "30000000"]) == .seconds(30))
        #expect(limit(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"]) == .seconds(30))
        #expect(limit(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"]) == nil)
        #expect(limit(["WATCHDOG_USEC": "soon"]) == nil)
        #expect(limit([:]) == nil)
    }

    /// A part that answers, or does not.
    private final class FakePart: Sendable {
        let isStuck = Mutex(false)
        private let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])

        func ask() async {
            guard isStuck.withLock({ $0 }) else { return }
            await withCheckedContinuation { continuation in waiting.withLock { $0.append(continuation) } }
        }

        func release() {
            isStuck.withLock { $0 = false }
            for each in waiting.withLock({ waiting in
                defer { waiting = [] }
                return waiting
            }) { each.resume() }
        }
    }

    @Test("names the parts that do not answer, and asks each only once at a time")
    func liveness() async {
        let time = ManualTime()
        let liveness = Liveness(time: time)
        let part = FakePart()
        let asked = Mutex(0)
        let parts = [
            Liveness.Part(name: "good") {},
            Liveness.Part(name: "bad") {
                asked.withLock { $0 += 1 }
                await part.ask()
            },
        ]
        #expect(await liveness.silent(parts, within: .seconds(5)) == [])
        part.isStuck.withLock { $0 = true }
        for _ in 0..<3 {
            async let silent = liveness.silent(parts, within: .seconds(5))
            await time.advanceToNextWake()
            #expect(await silent == ["bad"])
        }
        #expect(asked.withLock { $0 } == 2)
        part.release()
        while await liveness.silent([], within: .zero) != [] {}
    }

    @Test("a sign of life comes at half of the watchdog's time, and only while every part answers")
    func signsOfLife() async throws {
        let time = ManualTime()
        let socket = try NotifySocket()
        let part = FakePart()
        let health = HostHealth()
        let service = HealthService(
            health: health,
            manager: ServiceManager(
                environment: ["NOTIFY_SOCKET": socket.address, "WATCHDOG_USEC": "20000000"], process: 1),
            time: time, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            parts: { [Liveness.Part(name: "journal") { await part.ask() }] }, summary: { "all well" })
        #expect(health.state.problems == ["the host is starting"])
        let group = ServiceGroup(services: [service], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await group.run() }
        await time.waitForSleepers(1)
        while !health.state.isStarted { await Task.yield() }
        #expect(health.state.problems.isEmpty)
        #expect(service.interval == .seconds(10))

        part.isStuck.withLock { $0 = true }
        // The question waits out its time: ten seconds to the next round, ten for an answer that does not come.
        while health.state.silent.isEmpty { await time.advanceToNextWake() }
        #expect(health.state.problems == ["journal does not answer"])
        #expect(!health.state.isAlive)
        let before = socket.take()
        #expect(before.contains("READY=1"))
        #expect(before.contains("STATUS=all well"))
        #expect(before.filter { $0 == "WATCHDOG=1" }.count == 1)
        await time.advanceToNextWake()
        await time.waitForSleepers(1)
        #expect(!socket.take().contains("WATCHDOG=1"))

        part.release()
        while !health.state.silent.isEmpty { await time.advanceToNextWake() }
        while !socket.take().contains("WATCHDOG=1") { await Task.yield() }
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(socket.take().contains("STOPPING=1"))
        #expect(health.state.isStopping)
    }

    @Test("the journal's troubles are told")
    func journal() {
        let health = HostHealth()
        let now = Instant(secondsSince1970: 0)
        func problem(_ event: JournalEvent) -> String? {
            health.observe(.journal(event), at: now)
            return health.state.journalProblem
        }
        #expect(problem(.diskFull("x"))?.contains("the disk is full") == true)
        #expect(problem(.hasRoom) == nil)
        #expect(problem(.quota(.high)) == nil)
        #expect(problem(.quota(.full))?.contains("quota") == true)
        #expect(problem(.quota(.normal)) == nil)
        #expect(problem(.failed("the disk lies")) == "the disk lies")
    }
}
