import DeviceKit
import DeviceKitTesting
import Foundation
import Synchronization
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoEmulator
@testable import ZKTecoWire

/// A dialer that lets every byte of the terminal through a test's hands.
final class TamperingDialer: Dialer {
    private let terminal: EmulatedTerminal
    /// The bytes of one read, with their place in everything that the terminal has sent; `nil` closes the link.
    private let change: @Sendable ([UInt8], Int) -> [UInt8]?
    private let sent = Mutex(0)

    init(_ terminal: EmulatedTerminal, _ change: @escaping @Sendable ([UInt8], Int) -> [UInt8]?) {
        self.terminal = terminal
        self.change = change
    }

    func connect(to endpoint: Endpoint, timeout: Duration) async throws(DeviceFault) -> any Transport {
        Link(inner: try await terminal.connect(to: endpoint, timeout: timeout), dialer: self)
    }

    private struct Link: Transport {
        let inner: any Transport
        let dialer: TamperingDialer

        func send(_ bytes: [UInt8]) async throws(DeviceFault) { try await inner.send(bytes) }
        func close() async { await inner.close() }

        func receive() async throws(DeviceFault) -> [UInt8]? {
            guard let bytes = try await inner.receive() else { return nil }
            let place = dialer.sent.withLock { sent in
                defer { sent += bytes.count }
                return sent
            }
            return dialer.change(bytes, place)
        }
    }
}

/// A whole session, opening and a poll, with its bytes damaged at every place: an error or the truth, never an invented
/// punch, never a crash.
@Suite("Hostile bytes")
struct HostileBytesTests {
    private static func options() -> EmulatorOptions {
        var options = EmulatorOptions()
        options.records = 30
        options.people = 5
        return options
    }

    /// What the session brought; `nil` when it failed.
    private func session(
        _ change: @escaping @Sendable ([UInt8], Int) -> [UInt8]?
    ) async throws -> (read: [PunchRecord]?, truth: [EmulatedRecord]) {
        let time = ManualTime()
        let terminal = try EmulatedTerminal(Self.options(), time: time)
        let dialer = TamperingDialer(terminal, change)
        let driver = try ZKTecoDriver(settings: try Driving.settings(), context: try Driving.context(dialer, time))
        let work = Task { () -> [PunchRecord]? in
            guard let session = try? await driver.open() as? ZKTecoSession else { return nil }
            let reading = try? await Driving.read(session)
            await session.close()
            return reading?.records
        }
        // Whoever waits for an answer that will not come waits until its time is up.
        let clock = Task {
            while !Task.isCancelled {
                if time.sleeperCount > 0, terminal.isQuiet { _ = await time.advanceToNextWake() }
                await Task.yield()
            }
        }
        let read = await work.value
        clock.cancel()
        return (read, terminal.truth)
    }

    private func byteCount() async throws -> Int {
        let count = Mutex(0)
        _ = try await session { bytes, place in
            count.withLock { $0 = place + bytes.count }
            return bytes
        }
        return count.withLock { $0 }
    }

    @Test("a session that is cut off at any byte ends in an error, or brings the whole truth")
    func truncated() async throws {
        let total = try await byteCount()
        #expect(total > 1_500)
        for cut in 0..<total {
            let (read, truth) = try await session { bytes, place in
                if place >= cut { return nil }
                return Array(bytes.prefix(cut - place))
            }
            if let read { #expect(Essence.differences(read, truth) == [], "cut at \(cut)") }
        }
    }

    @Test("one flipped bit anywhere invents no punch")
    func flipped() async throws {
        let total = try await byteCount()
        for place in 0..<total {
            let (read, truth) = try await session { bytes, start in
                var bytes = bytes
                if bytes.indices.contains(place - start) { bytes[place - start] ^= 1 << UInt8(place % 8) }
                return bytes
            }
            if let read { #expect(Essence.differences(read, truth) == [], "flipped at \(place)") }
        }
    }
}
