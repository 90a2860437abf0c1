import DeviceKit
import DeviceKitTesting
import Foundation
import Testing

@testable import ZKTecoWire

/// Bytes that others made.
enum Vectors {
    struct Exchange: Decodable, Sendable {
        let name: String
        let seq: Int
        let transport: String
        let direction: String
        let command: UInt16
        let sessionField: UInt16
        let replyId: UInt16
        let payloadLength: Int
        let hex: String
        let source: String
    }

    struct Capture: Decodable, Sendable {
        let name: String
        let transport: String
        let hex: String
    }

    struct Algorithms: Decodable, Sendable {
        struct Key: Decodable, Sendable {
            let key: UInt32
            let session: UInt16
            let ticks: UInt8
            let payload: String
        }
        struct Time: Decodable, Sendable {
            let time: String
            let value: UInt32
            let hex: String
        }
        let commkey: [Key]
        let time: [Time]
    }

    static func load<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Vectors"))
        return try JSONDecoder().decode(Value.self, from: Data(contentsOf: url))
    }

    static func bytes(_ hex: String) throws -> [UInt8] { try #require(HexDump.bytes(hex)) }
}

@Suite("Golden vectors")
struct VectorTests {
    @Test("every recorded packet decodes to its fields and encodes back to the byte")
    func exchanges() throws {
        let exchanges: [Vectors.Exchange] = try Vectors.load("zkteco-exchanges")
        #expect(exchanges.count == 900)
        for exchange in exchanges {
            let bytes = try Vectors.bytes(exchange.hex)
            let name = "\(exchange.name) \(exchange.transport) \(exchange.seq)"
            let packet = try Self.packet(bytes, isFramed: exchange.transport == "tcp", name)
            #expect(packet.code == exchange.command, "\(name)")
            #expect(packet.session == exchange.sessionField, "\(name)")
            #expect(packet.replyNumber == exchange.replyId, "\(name)")
            #expect(packet.payload.count == exchange.payloadLength, "\(name)")
            #expect((exchange.transport == "tcp" ? Frame.bytes(packet) : packet.bytes) == bytes, "\(name)")
        }
    }

    @Test("every capture of a real terminal decodes and encodes back to the byte")
    func captures() throws {
        let captures: [Vectors.Capture] = try Vectors.load("zkteco-captures")
        #expect(captures.count == 12)
        for capture in captures where capture.transport != "record" {
            let bytes = try Vectors.bytes(capture.hex)
            let packet = try Self.packet(bytes, isFramed: capture.transport == "tcp", capture.name)
            #expect((capture.transport == "tcp" ? Frame.bytes(packet) : packet.bytes) == bytes, "\(capture.name)")
        }
    }

    @Test("captured records and users decode and encode back to the byte")
    func records() throws {
        let captures: [Vectors.Capture] = try Vectors.load("zkteco-captures")
        let attendance = try Vectors.bytes(
            #require(captures.first { $0.name == "record-attendance-40" }).hex)
        let record = try RecordLayout.bytes40.decode(attendance[...])
        #expect(
            record
                == AttendanceRecord(
                    uid: 13, code: "999111333", time: try #require(LocalDateTime("2018-06-25 17:50:35")),
                    verification: 1, state: 0, workCode: 0))
        #expect(RecordLayout.bytes40.encode(record) == attendance)

        let userBytes = try Vectors.bytes(#require(captures.first { $0.name == "record-user-72" }).hex)
        let user = try UserLayout.bytes72.decode(userBytes[...], readsPassword: true)
        #expect(user.uid == 13 && user.code == "555" && user.card == 0xDE && user.group == 2)
        #expect(String(decoding: user.name, as: UTF8.self) == "Ned")
        #expect(user.password == Array("444".utf8))
        #expect(try UserLayout.bytes72.decode(userBytes[...]).password.isEmpty)
        // Not to the byte: behind the password's NUL the terminal left garbage, and it has its own time zones set.
        let again = try UserLayout.bytes72.decode(UserLayout.bytes72.encode(user)[...], readsPassword: true)
        #expect(again == user)
    }

    @Test("comm keys are mixed as other clients mix them, whatever the ticks")
    func commKeys() throws {
        let vectors: Vectors.Algorithms = try Vectors.load("zkteco-algorithms")
        #expect(vectors.commkey.count == 21)
        for vector in vectors.commkey {
            let expected = try Vectors.bytes(vector.payload)
            #expect(CommKey.payload(key: vector.key, session: vector.session, ticks: vector.ticks) == expected)
            #expect(CommKey.accepts(expected, key: vector.key, session: vector.session))
            #expect(!CommKey.accepts(expected, key: vector.key ^ 0x100, session: vector.session))
        }
        #expect(!CommKey.accepts([1, 2], key: 1, session: 1))
        #expect(CommKey.payload(key: .max, session: .max).count == 4)
    }

    @Test("packed times agree with other clients, both ways")
    func times() throws {
        let vectors: Vectors.Algorithms = try Vectors.load("zkteco-algorithms")
        for vector in vectors.time {
            let time = try #require(LocalDateTime(vector.time))
            #expect(PackedTime.decode(vector.value) == time)
            #expect(PackedTime.encode(time) == vector.value)
        }
    }

    @Test("a value that is no date is none")
    func impossibleTimes() {
        // 31 February 2024.
        #expect(PackedTime.decode((24 * 372 + 31 + 30) * 86_400) == nil)
        #expect(PackedTime.decodeSixBytes([24, 13, 1, 0, 0, 0]) == nil)
        #expect(PackedTime.decodeSixBytes([24, 1, 1, 24, 0, 0]) == nil)
    }

    @Test("every recorded live event is the same person at the same second")
    func liveEvents() throws {
        let exchanges: [Vectors.Exchange] = try Vectors.load("zkteco-exchanges")
        let events = try exchanges.filter { $0.name == "live_capture" && $0.direction == "terminal->client" }.map {
            try Self.packet(Vectors.bytes($0.hex), isFramed: $0.transport == "tcp", $0.name)
        }.filter { $0.code == Command.registerEvents }
        #expect(Set(events.map(\.payload.count)) == [10, 12, 14, 32, 36, 37, 52])
        let time = try #require(LocalDateTime("2024-02-29 13:45:59"))
        for packet in events {
            let decoded = LiveEvent.decode(payload: packet.payload)
            guard case .event(let event, let bytes) = decoded.first, decoded.count == 1 else {
                Issue.record("an event of \(packet.payload.count) bytes did not decode")
                continue
            }
            #expect(["2", "1002"].contains(event.code))
            #expect(event.time == time)
            #expect(bytes == packet.payload)
            #expect(event.payload(byteCount: bytes.count) == bytes)
        }
    }

    private static func packet(_ bytes: [UInt8], isFramed: Bool, _ name: String) throws -> Packet {
        guard isFramed else { return try Packet(bytes: bytes[...]) }
        var decoder = FrameDecoder()
        decoder.append(bytes)
        let packet = try #require(try decoder.next(), "\(name)")
        #expect(decoder.pendingByteCount == 0, "\(name)")
        return packet
    }
}
