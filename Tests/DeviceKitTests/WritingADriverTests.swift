import DeviceKit
import DeviceKitTesting
import Foundation
import Synchronization
import Testing

// The driver of the article "Writing a driver". What stands between the markers stands in the article; a test compares.

// begin settings
struct AcmeSettings: DriverSettings {
    static let address = Setting.host("address", "Host name or address of the clock.")
    static let port = Setting.port("port", default: 9100, "TCP port of the clock.")
    static let schema = SettingsSchema(address, port)

    let endpoint: Endpoint

    init(_ values: SettingsValues) throws(ConfigurationError) {
        endpoint = Endpoint(.tcp, host: try values.value(Self.address), port: try values.value(Self.port))
    }
}
// end settings

// begin wire
/// One line of the clock's log: `17,2026-11-24 08:30:00,1042,I`.
struct AcmeRecord: Equatable {
    var number: UInt32
    var punch: PunchRecord

    init(line: String) throws(WireError) {
        let fields = line.split(separator: ",", omittingEmptySubsequences: false)
        guard fields.count == 4, let number = UInt32(fields[0]), let time = LocalDateTime(fields[1]),
            !fields[2].isEmpty
        else { throw WireError("not number, time, badge and direction") }
        var raw = JSONObjectWriter()
        raw.member("line", line)
        self.number = number
        punch = PunchRecord(
            code: String(fields[2]), localTime: time, direction: Self.direction(fields[3]),
            verification: Verification(.card, raw: 0), raw: raw.finish())
    }

    private static func direction(_ letter: Substring) -> Direction {
        switch letter {
        case "I": Direction(.in, raw: 0)
        case "O": Direction(.out, raw: 1)
        default: Direction(.unknown, raw: 255)
        }
    }
}
// end wire

// begin driver
struct AcmeDriver: DeviceDriver {
    static let manifest = DriverManifest(
        id: "acme", version: "1.0.0", summary: "Acme badge clocks with the line protocol.", intakes: [.polling],
        capabilities: [], addressKey: "address", portKey: "port")

    private let settings: AcmeSettings
    private let context: DriverContext

    init(settings: AcmeSettings, context: DriverContext) throws(DeviceFault) {
        self.settings = settings
        self.context = context
    }

    func open() async throws(DeviceFault) -> any DeviceSession {
        let link = try await context.dialer.connect(to: settings.endpoint, timeout: .seconds(10))
        let session = AcmeSession(link: link, time: context.time)
        do throws(DeviceFault) {
            return try await session.identified()
        } catch {
            await link.close()
            throw error
        }
    }
}
// end driver

// begin session
struct AcmeSession: PollingSession {
    var identity = DeviceIdentity()
    let link: any Transport
    let time: any TimeSource

    func identified() async throws(DeviceFault) -> AcmeSession {
        var session = self
        session.identity = DeviceIdentity(serialNumber: try await ask("WHO").first)
        return session
    }

    func poll(_ request: PollRequest) async throws(DeviceFault) -> PollPage {
        let after = try AcmeCursor(request.cursor, serialNumber: identity.serialNumber ?? "")
        var page = PollPage(records: [], cursor: request.cursor, reset: after.reset)
        var last = after.number
        for line in try await ask("LOG \(after.number) \(request.limit)") {
            do throws(WireError) {
                let record = try AcmeRecord(line: line)
                page.records.append(record.punch)
                last = record.number
            } catch {
                page.rejected.append(RejectedRecord(reason: error.description, bytes: Array(line.utf8)))
            }
        }
        page.hasMore = page.records.count + page.rejected.count >= request.limit && last > after.number
        page.cursor = AcmeCursor(number: last, serialNumber: identity.serialNumber ?? "").cursor
        return page
    }

    func close() async { await link.close() }
}
// end session

// begin cursor
/// How far the log was read: the number of the last record, and whose log it was.
struct AcmeCursor {
    var number: UInt32
    var serialNumber: String
    var reset: SourceReset?

    init(number: UInt32, serialNumber: String) {
        self.number = number
        self.serialNumber = serialNumber
    }

    init(_ cursor: Cursor?, serialNumber: String) throws(DeviceFault) {
        self.init(number: 0, serialNumber: serialNumber)
        guard let cursor else { return }
        var reader = ByteReader(cursor.bytes)
        guard (try? reader.u8()) == 1, let number = try? reader.u32() else {
            throw DeviceFault(.unsupported, "the stored place in the log is of another version")
        }
        let owner = String(decoding: reader.rest(), as: UTF8.self)
        if owner == serialNumber {
            self.number = number
        } else {
            reset = SourceReset(.deviceReplaced, "the clock is \(serialNumber), the log was read from \(owner)")
        }
    }

    var cursor: Cursor? {
        var writer = ByteWriter()
        writer.u8(1)
        writer.u32(number)
        writer.append(serialNumber.utf8)
        return Cursor(bytes: writer.bytes)
    }
}
// end cursor

// begin asking
extension AcmeSession {
    /// Sends a line and returns the lines of the answer, which ends with `END`.
    func ask(_ question: String) async throws(DeviceFault) -> [String] {
        let outcome = await time.withDeadline(.seconds(10)) { () async -> Result<[String], DeviceFault> in
            do throws(DeviceFault) {
                try await link.send(Array("\(question)\n".utf8))
                return .success(try await answer())
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .finished(let result): return try result.get()
        case .expired: throw DeviceFault(.timedOut, "the clock did not answer to \(question) within 10 s")
        }
    }

    private func answer() async throws(DeviceFault) -> [String] {
        var queue = ByteQueue()
        while let bytes = try await link.receive() {
            queue.append(bytes)
            guard queue.count <= 1 << 20 else { throw DeviceFault(.oversize, "the clock sent more than 1 MiB") }
            let text = String(decoding: queue.peek(queue.count) ?? [], as: UTF8.self)
            if text.hasSuffix("END\n") { return text.split(separator: "\n").dropLast().map(String.init) }
        }
        throw DeviceFault(.connectionLost, "the clock closed the connection")
    }
}
// end asking

/// An Acme clock at the other end of links in memory.
private struct AcmeClock: Dialer {
    let lines: [String]

    func connect(to endpoint: Endpoint, timeout: Duration) async throws(DeviceFault) -> any Transport {
        AcmeLink(lines: lines)
    }
}

private final class AcmeLink: Transport {
    private let lines: [String]
    private let replies = AsyncStream.makeStream(of: [UInt8].self)
    private let question = Mutex<[UInt8]>([])

    init(lines: [String]) { self.lines = lines }

    func send(_ bytes: [UInt8]) async throws(DeviceFault) {
        let whole = question.withLock { question in
            question += bytes
            guard question.last == 0x0A else { return nil as String? }
            defer { question = [] }
            return String(decoding: question.dropLast(), as: UTF8.self)
        }
        guard let words = whole?.split(separator: " ") else { return }
        var answer = ["A-1"]
        if words.first == "LOG", words.count == 3, let after = Int(words[1]), let limit = Int(words[2]) {
            answer = Array(lines.dropFirst(after).prefix(limit))
        }
        replies.continuation.yield(Array((answer.map { $0 + "\n" }.joined() + "END\n").utf8))
    }

    func receive() async throws(DeviceFault) -> [UInt8]? {
        for await bytes in replies.stream { return bytes }
        if Task.isCancelled { throw .cancelled }
        return nil
    }

    func close() async { replies.continuation.finish() }
}

@Suite("The article about writing a driver")
struct WritingADriverTests {
    private static let lines = (1...60).map { number in
        let time = LocalDateTime(year: 2026, month: 1, day: 5, hour: 8, minute: number - 1) ?? .earliest
        return "\(number),\(time),\(1_000 + number % 7),\(number.isMultiple(of: 2) ? "O" : "I")"
    }

    @Test("its driver keeps the contract")
    func conformance() async throws {
        let settings = try AcmeSettings(AcmeSettings.schema.values(["address": "192.168.1.30"]))
        let device = try #require(DeviceID("gate"))
        let conformance = DriverConformance<AcmeDriver>(settings: settings) {
            let context = DriverContext(
                device: device, timeZone: .utc, time: ManualTime(), random: SeededRandom(seed: 1),
                dialer: AcmeClock(lines: Self.lines), log: SilentLog())
            return ConformanceBench(
                context: context, log: { Self.lines.compactMap { try? AcmeRecord(line: $0).punch } })
        }
        let report = await conformance.run()
        #expect(report.failures.isEmpty, "\(report)")
    }

    @Test("the article shows this code to the letter")
    func article() throws {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        let here = try String(contentsOfFile: #filePath, encoding: .utf8)
        let path = root.appendingPathComponent("Sources/DeviceKit/DeviceKit.docc/WritingADriver.md").path
        let article = try String(contentsOfFile: path, encoding: .utf8)
        for section in ["settings", "wire", "driver", "session", "cursor", "asking"] {
            let parts = here.components(separatedBy: "// begin \(section)\n")
            let code = try #require(parts.dropFirst().first?.components(separatedBy: "// end \(section)").first)
            #expect(article.contains(code), "the section \(section) differs")
        }
    }

    @Test("a line that is no record is rejected and does not end the read")
    func rejected() throws {
        #expect(throws: WireError.self) { try AcmeRecord(line: "1,2026-13-24 08:30:00,1042,I") }
        #expect(throws: WireError.self) { try AcmeRecord(line: "") }
        #expect(try AcmeRecord(line: "17,2026-11-24 08:30:00,1042,X").punch.direction.kind == .unknown)
    }
}
