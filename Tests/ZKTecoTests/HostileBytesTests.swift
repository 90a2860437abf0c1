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
    /// The bytes of one read, with their place in everything that the terminal has sent; `nil` closes the link, none are
    /// lost.
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
            while let bytes = try await inner.receive() {
                let place = dialer.sent.withLock { sent in
                    defer { sent += bytes.count }
                    return sent
                }
                guard let changed = dialer.change(bytes, place) else { return nil }
                if !changed.isEmpty { return changed }
            }
            return nil
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
        over transport: String, _ change: @escaping @Sendable ([UInt8], Int) -> [UInt8]?
    ) async throws -> (read: [PunchRecord]?, truth: [EmulatedRecord]) {
        let terminal = try EmulatedTerminal(Self.options())
        let dialer = TamperingDialer(terminal, change)
        let driver = try ZKTecoDriver(
            settings: try Driving.settings(["transport": transport]),
            context: try Driving.context(dialer, terminal.time))
        // Whoever waits for an answer that will not come waits until its time is up.
        let read = await terminal.whileTimePasses { () -> [PunchRecord]? in
            guard let session = try? await driver.open() as? ZKTecoSession else { return nil }
            let reading = try? await Driving.read(session)
            await session.close()
            return reading?.records
        }
        return (read, terminal.truth)
    }

    private func byteCount(over transport: String) async throws -> Int {
        let count = Mutex(0)
        _ = try await session(over: transport) { bytes, place in
            count.withLock { $0 = place + bytes.count }
            return bytes
        }
        return count.withLock { $0 }
    }

    @Test(
        "a session that is cut off at any byte ends in an error, or brings the whole truth", arguments: ["tcp", "udp"])
    func truncated(over transport: String) async throws {
        let total = try await byteCount(over: transport)
        #expect(total > 1_500)
        for cut in 0..<total {
            let (read, truth) = try await session(over: transport) { bytes, place in
                if place >= cut { return transport == "tcp" ? nil : [] }
                return Array(bytes.prefix(cut - place))
            }
            if let read { #expect(Essence.differences(read, truth) == [], "cut at \(cut)") }
        }
    }

    @Test("over UDP a datagram that is cut off at any byte costs a repetition, and nothing else")
    func shortened() async throws {
        let total = try await byteCount(over: "udp")
        for cut in 0..<total {
            let (read, truth) = try await session(over: "udp") { bytes, place in
                Array(bytes.prefix(bytes.indices.contains(cut - place) ? cut - place : bytes.count))
            }
            #expect(Essence.differences(read ?? [], truth) == [], "cut at \(cut)")
        }
    }

    @Test("one flipped bit anywhere invents no punch", arguments: ["tcp", "udp"])
    func flipped(over transport: String) async throws {
        let total = try await byteCount(over: transport)
        var failures = 0
        for place in 0..<total {
            let (read, truth) = try await session(over: transport) { bytes, start in
                var bytes = bytes
                if bytes.indices.contains(place - start) { bytes[place - start] ^= 1 << UInt8(place % 8) }
                return bytes
            }
            if let read { #expect(Essence.differences(read, truth) == [], "flipped at \(place)") }
            if read == nil { failures += 1 }
        }
        // A damaged datagram is dropped and asked for again; a damaged stream ends.
        #expect(transport == "udp" ? failures == 0 : failures > 0)
    }
}
