import DeviceKit
import DeviceKitTesting
import Foundation
import Testing

@testable import Sinks

/// Punches on 2026-01-05 in UTC, for the tests of sinks that speak HTTP.
func webPunch(
    _ position: Int64, _ time: String, code: String = "7", direction: Direction.Kind = .in, device: String = "lobby"
) throws -> JournaledPunch {
    let local = try #require(LocalDateTime("2026-01-05 \(time)"))
    let instant = Instant(secondsSince1970: local.wallSeconds)
    let record = PunchRecord(
        code: code, localTime: local, direction: Direction(direction, raw: 0),
        verification: Verification(.face, raw: 15))
    return JournaledPunch(
        position: position,
        punch: Punch(
            device: try #require(DeviceID(device)), time: instant, record: record, source: .capture,
            receivedAt: instant))
}

func webContext(_ directory: String = "/", memory: any SinkMemory = VolatileMemory()) -> SinkContext {
    SinkContext(name: "hr", baseDirectory: directory, time: ManualTime(), log: SilentLog(), memory: memory)
}

@Suite("The webhook sink, against a receiver", .timeLimit(.minutes(1)))
struct WebhookDeliveryTests {
    private let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    private func sink(_ texts: [String: String], directory: String = "/") throws -> WebhookSink {
        let settings = try WebhookSettings(try webhookValues(texts, secret))
        return try WebhookSink(settings: settings, context: webContext(directory))
    }

    @Test("signatures hold, lost answers repeat with the same id, one rejection rejects one")
    func delivery() async throws {
        try await PythonServer.with("webhook_receiver", secret) { server in
            let sink = try sink(["url": server.url + "/punches"])
            try await sink.open()
            let batch = try [
                webPunch(1, "08:00:00"), webPunch(2, "08:00:05", code: "gone"), webPunch(3, "08:01:00", code: "8"),
            ]
            try await server.plan("lost", "503 7")
            for retryAfter in [nil, Duration.seconds(7)] {
                let fault = await #expect(throws: SinkFault.self) { try await sink.deliver(batch) }
                #expect(fault?.kind == .transient)
                #expect(fault?.retryAfter == retryAfter)
            }
            #expect(
                try await sink.deliver(batch) == Delivery(rejected: [.init(position: 2, reason: "left the company")]))
            await sink.close()
            let state = try await server.model()
            let requests = try #require(state["requests"] as? [[Any]])
            #expect(requests.count == 2)
            #expect(requests[0] as NSArray == requests[1] as NSArray)
            #expect((state["punches"] as? [[String]])?.map { $0[1] } == ["7", "8"])
        }
    }

    @Test("a server that asks for a certificate gets it; without it, or with another authority, nothing is sent")
    func mutualTLS() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("muster-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let made = try await ChildProcess.run("/bin/bash", ["-ec", Self.makeCertificates, "bash", directory.path])
        try #require(made.status == 0, "\(made.standardError)")
        try await PythonServer.with("webhook_receiver", secret, directory.path) { server in
            let url = "https://localhost:\(server.port)"
            let whole = ["url": url, "ca": "ca.pem", "certificate": "client.pem", "key": "client.key"]
            let good = try sink(whole, directory: directory.path)
            try await good.open()
            #expect(try await good.deliver([try webPunch(1, "08:00:00")]) == .allAccepted)
            await good.close()
            for missing in [["ca"], ["certificate", "key"]] {
                let bad = try sink(whole.filter { !missing.contains($0.key) }, directory: directory.path)
                try await bad.open()
                let fault = await #expect(throws: SinkFault.self) {
                    try await bad.deliver([try webPunch(2, "08:00:01")])
                }
                #expect(fault?.kind == .transient)
                await bad.close()
            }
            let unreadable = try sink(whole.merging(["key": "none.key"]) { $1 }, directory: directory.path)
            let fault = await #expect(throws: SinkFault.self) { try await unreadable.open() }
            #expect(fault?.kind == .permanent)
        }
    }

    private func webhookValues(_ texts: [String: String], _ secret: String) throws -> SettingsValues {
        let mark = SourceMark(file: "test")
        func scalar(_ text: String) -> ConfigurationNode {
            ConfigurationNode(.scalar(.init(text, origin: "test")), at: mark, path: "")
        }
        var members = texts.map { ConfigurationNode.Member(key: $0, keyMark: mark, node: scalar($1)) }
        let secrets = ConfigurationNode(.sequence([scalar(secret)]), at: mark, path: "secrets")
        members.append(ConfigurationNode.Member(key: "secrets", keyMark: mark, node: secrets))
        var report: [Diagnostic] = []
        let node = ConfigurationNode(.mapping(members), at: mark, path: "")
        return try #require(WebhookSettings.schema.decode(node, reportingTo: &report), "\(report)")
    }

    private static let makeCertificates = """
        cd "$1"
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority 2>/dev/null
        for name in server client; do
            openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj /CN=localhost 2>/dev/null
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out $name.pem \
                -extfile <(printf 'subjectAltName=DNS:localhost') 2>/dev/null
        done
        """
}

@Suite("The Frappe sink, against a site", .timeLimit(.minutes(1)))
struct FrappeSinkTests {
    private func sink(_ server: PythonServer, _ texts: [String: String] = [:]) throws -> FrappeSink {
        let own = [
            "url": server.url, "api_key": "key", "api_secret": "secret", "site_timezone": "Asia/Ho_Chi_Minh",
        ].merging(texts) { $1 }
        return try FrappeSink(
            settings: try FrappeSettings(try FrappeSettings.schema.values(own)), context: webContext())
    }

    private func checkins(_ server: PythonServer) async throws -> [[String]] {
        let rows = try #require(try await server.model()["checkins"] as? [[String: Any]])
        return rows.map { row in
            ["employee", "time", "log_type", "device_id"].map { row[$0] as? String ?? "-" }
        }.sorted { $0[0] + $0[1] < $1[0] + $1[1] }
    }

    @Test("makes check-ins in the site's zone, with the words of the site")
    func checkins() async throws {
        try await PythonServer.with("frappe_server") { server in
            let sink = try sink(server)
            try await sink.open()
            let batch = try [
                webPunch(1, "01:00:00"), webPunch(2, "05:00:00", direction: .breakOut),
                webPunch(3, "01:00:00", code: "8", direction: .unknown, device: "gate"),
            ]
            #expect(try await sink.deliver(batch) == .allAccepted)
            await sink.close()
            #expect(
                try await checkins(server) == [
                    ["HR-EMP-1", "2026-01-05 08:00:00", "IN", "lobby"],
                    ["HR-EMP-1", "2026-01-05 12:00:00", "OUT", "lobby"],
                    ["HR-EMP-2", "2026-01-05 08:00:00", "-", "gate"],
                ])
        }
    }

    @Test("a punch that stands there already is delivered, whatever the language of the refusal")
    func duplicates() async throws {
        try await PythonServer.with("frappe_server") { server in
            let batch = try [webPunch(1, "01:00:00"), webPunch(2, "05:00:00", direction: .out)]
            let first = try sink(server)
            try await first.open()
            _ = try await first.deliver(batch)
            // Without looking first: the site refuses, and the sink looks.
            #expect(try await first.deliver(batch) == .allAccepted)
            await first.close()
            // After a restart, and with a policy that has changed its mind: the first direction stays.
            let second = try sink(server)
            try await second.open()
            #expect(try await second.deliver([webPunch(1, "01:00:00", direction: .out), batch[1]]) == .allAccepted)
            await second.close()
            #expect(try await checkins(server).map { $0[2] } == ["IN", "OUT"])
        }
    }

    @Test("a lost answer neither loses nor doubles a punch")
    func lostAnswers() async throws {
        try await PythonServer.with("frappe_server") { server in
            let sink = try sink(server)
            let batch = try (0..<6).map { try webPunch(Int64($0), "01:0\($0):00") }
            var attempts = 0
            // Each attempt loses the answer of a later request: employee, checkin 1, checkin 2 …
            for lost in 1...6 {
                try await sink.open()
                let faults = [String](repeating: "", count: lost) + ["lost"]
                try await server.plan(faults)
                do {
                    _ = try await sink.deliver(batch)
                } catch {
                    attempts += 1
                }
            }
            try await server.plan([])
            try await sink.open()
            #expect(try await sink.deliver(batch) == .allAccepted)
            await sink.close()
            #expect(attempts == 6)
            #expect(try await checkins(server).count == 6)
        }
    }

    @Test("people whom the site does not know or take are parked, each with the reason; the rest go on")
    func parked() async throws {
        try await PythonServer.with("frappe_server") { server in
            let sink = try sink(server)
            try await sink.open()
            let batch = try [
                webPunch(1, "01:00:00", code: "99"), webPunch(2, "01:00:01", code: "left"),
                webPunch(3, "01:00:02", code: "strict", direction: .unknown), webPunch(4, "01:00:03", code: "far"),
                webPunch(5, "01:00:04"),
            ]
            let rejected = try await sink.deliver(batch).rejected
            #expect(rejected.map(\.position) == [1, 2, 3, 4])
            #expect(rejected[0].reason == "unmatched at target: no Employee has attendance_device_id 99")
            #expect(rejected[1].reason.hasPrefix("inactive at target: Giao dịch"))
            #expect(
                rejected[2].reason
                    == "refused by the site: Loại nhật ký là bắt buộc (the terminal gives no direction: see direction:)"
            )
            #expect(rejected[3].reason.contains("latitude"))
            await sink.close()
            #expect(try await checkins(server).map { $0[0] } == ["HR-EMP-1"])
            let placed = try self.sink(server, ["latitude": "10.77", "longitude": "106.7"])
            try await placed.open()
            #expect(try await placed.deliver([batch[3]]) == .allAccepted)
            await placed.close()
        }
    }

    @Test("a key that may not set the time is found out at the first punch, which is taken back")
    func timePermission() async throws {
        try await PythonServer.with("frappe_server", "--no-time-permission") { server in
            let sink = try sink(server)
            try await sink.open()
            let fault = await #expect(throws: SinkFault.self) { try await sink.deliver([try webPunch(1, "01:00:00")]) }
            #expect(fault?.kind == .permanent)
            #expect(fault?.message.contains("level 1") == true)
            await sink.close()
            #expect(try await checkins(server).isEmpty)
        }
    }

    @Test("a wrong key and a busy site are told apart")
    func faults() async throws {
        try await PythonServer.with("frappe_server") { server in
            let wrong = try sink(server, ["api_secret": "other"])
            #expect((await #expect(throws: SinkFault.self) { try await wrong.open() })?.kind == .permanent)
            await wrong.close()
            let busy = try sink(server)
            try await busy.open()
            try await server.plan("429 30")
            let fault = await #expect(throws: SinkFault.self) { try await busy.deliver([try webPunch(1, "01:00:00")]) }
            #expect(fault?.kind == .transient)
            #expect(fault?.retryAfter == .seconds(30))
            await busy.close()
        }
    }
}

@Suite("The Odoo sink, against a server", .timeLimit(.minutes(1)))
struct OdooSinkTests {
    private func sink(
        _ server: PythonServer, api: OdooSettings.API = .json2, memory: any SinkMemory = VolatileMemory(),
        _ texts: [String: String] = [:]
    ) throws -> OdooSink {
        let own = [
            "url": server.url, "api": api.rawValue, "api_key": "key", "database": "company",
            "login": "hr@example.com",
        ].merging(texts) { $1 }
        return try OdooSink(
            settings: try OdooSettings(try OdooSettings.schema.values(own)), context: webContext(memory: memory))
    }

    /// `08:00-12:00` of an employee's attendances.
    private func attendances(_ server: PythonServer, of employee: Int = 11) async throws -> [String] {
        let rows = try #require(try await server.model()["attendances"] as? [[String: Any]])
        return rows.filter { $0["employee_id"] as? Int == employee }.map { row in
            let times = ["check_in", "check_out"].map { (row[$0] as? String)?.dropFirst(11).prefix(5) ?? "" }
            return times.joined(separator: "-")
        }
    }

    @Test("makes attendances of a day, as it happens", arguments: OdooSettings.API.allCases)
    func day(api: OdooSettings.API) async throws {
        try await PythonServer.with("odoo_server") { server in
            let sink = try sink(server, api: api)
            try await sink.open()
            #expect(try await sink.deliver([webPunch(1, "08:00:00")]) == .allAccepted)
            #expect(try await attendances(server) == ["08:00-"])
            #expect(try await sink.deliver([webPunch(2, "12:00:00", direction: .breakOut)]) == .allAccepted)
            #expect(
                try await sink.deliver([
                    webPunch(3, "13:00:00", direction: .unknown), webPunch(4, "17:30:00", direction: .unknown),
                    webPunch(5, "17:30:20", direction: .unknown),
                ]) == .allAccepted)
            await sink.close()
            #expect(try await attendances(server) == ["08:00-12:00", "13:00-17:30"])
        }
    }

    @Test(
        "late punches change what stands there, in an order that the server takes", arguments: OdooSettings.API.allCases
    )
    func late(api: OdooSettings.API) async throws {
        try await PythonServer.with("odoo_server") { server in
            let memory = VolatileMemory()
            var sink = try sink(server, api: api, memory: memory)
            try await sink.open()
            _ = try await sink.deliver([webPunch(1, "08:00:00"), webPunch(2, "17:00:00", direction: .out)])
            await sink.close()
            // Another life of the host, and a terminal that was away over noon.
            sink = try self.sink(server, api: api, memory: memory)
            try await sink.open()
            #expect(
                try await sink.deliver([
                    webPunch(3, "12:00:00", direction: .out, device: "canteen"),
                    webPunch(4, "13:00:00", device: "canteen"),
                ]) == .allAccepted)
            #expect(try await attendances(server) == ["08:00-12:00", "13:00-17:00"])
            // A forgotten OUT: the first IN counts for nothing and does not block.
            #expect(try await sink.deliver([webPunch(5, "10:00:00", device: "canteen")]) == .allAccepted)
            #expect(try await attendances(server) == ["08:00-08:00", "10:00-12:00", "13:00-17:00"])
            await sink.close()
        }
    }

    @Test("an OUT without an IN is parked, and paired when its IN arrives and it is tried again")
    func unpaired() async throws {
        try await PythonServer.with("odoo_server") { server in
            let sink = try sink(server)
            try await sink.open()
            let out = try webPunch(1, "12:00:00", direction: .out)
            #expect(
                try await sink.deliver([out])
                    == Delivery(rejected: [.init(position: 1, reason: "an OUT without an IN on its day")]))
            #expect(try await sink.deliver([webPunch(2, "08:00:00")]) == .allAccepted)
            #expect(try await attendances(server) == ["08:00-12:00"])
            #expect(try await sink.deliver([out]) == .allAccepted)
            await sink.close()
        }
    }

    @Test(
        "wherever an answer is lost, nothing is made twice and nothing is missing", arguments: OdooSettings.API.allCases
    )
    func lostAnswers(api: OdooSettings.API) async throws {
        try await PythonServer.with("odoo_server") { server in
            let memory = VolatileMemory()
            let batch = try [
                webPunch(1, "08:00:00"), webPunch(2, "12:00:00", direction: .out), webPunch(3, "13:00:00"),
                webPunch(4, "17:00:00", direction: .out),
            ]
            let expected = ["08:00-12:00", "13:00-17:00"]
            var failed = 0
            for lost in 0..<4 {
                let sink = try sink(server, api: api, memory: memory)
                try await sink.open()
                try await server.plan([String](repeating: "", count: lost) + ["lost"])
                do { _ = try await sink.deliver(batch) } catch { failed += 1 }
                await sink.close()
            }
            try await server.plan([])
            let sink = try sink(server, api: api, memory: memory)
            try await sink.open()
            #expect(try await sink.deliver(batch) == .allAccepted)
            await sink.close()
            #expect(failed >= 3)
            #expect(try await attendances(server) == expected)
        }
    }

    @Test("what others made is not touched; the server's refusal is the reason, and the rest go on")
    func foreign() async throws {
        try await PythonServer.with("odoo_server") { server in
            let sink = try sink(server)
            try await sink.open()
            let rejected = try await sink.deliver([
                webPunch(1, "06:30:00", code: "8"), webPunch(2, "08:00:00"), webPunch(3, "09:00:00", code: "99"),
            ]).rejected
            await sink.close()
            #expect(rejected.map(\.position) == [1, 3])
            #expect(rejected[0].reason.hasPrefix("refused by Odoo: Không thể tạo"))
            #expect(rejected[1].reason == "unmatched at target: no active employee has barcode 99")
            #expect(try await attendances(server) == ["08:00-"])
            #expect(try await attendances(server, of: 12) == ["06:00-07:00"])
        }
    }

    @Test("what the server refused once does not hold back what comes later, and is told again when it is tried again")
    func refusedBefore() async throws {
        try await PythonServer.with("odoo_server") { server in
            let memory = VolatileMemory()
            var sink = try sink(server, memory: memory)
            try await sink.open()
            // In the middle of an attendance that somebody made by hand.
            let refused = try webPunch(1, "06:30:00", code: "8")
            #expect(try await sink.deliver([refused]).rejected.map(\.position) == [1])
            #expect(try await sink.deliver([webPunch(2, "08:00:00", code: "8")]) == .allAccepted)
            await sink.close()
            sink = try self.sink(server, memory: memory)
            try await sink.open()
            #expect(try await sink.deliver([webPunch(3, "12:00:00", code: "8", direction: .out)]) == .allAccepted)
            #expect(try await sink.deliver([refused]).rejected.map(\.position) == [1])
            // In one batch with the refused one the others are not refused, too.
            let batch = try [
                refused, webPunch(4, "13:00:00", code: "8"), webPunch(5, "17:00:00", code: "8", direction: .out),
            ]
            #expect(try await sink.deliver(batch).rejected.map(\.position) == [1])
            await sink.close()
            #expect(try await attendances(server, of: 12) == ["06:00-07:00", "08:00-12:00", "13:00-17:00"])
        }
    }

    @Test("a wrong key is for people", arguments: OdooSettings.API.allCases)
    func wrongKey(api: OdooSettings.API) async throws {
        try await PythonServer.with("odoo_server") { server in
            let sink = try sink(server, api: api, ["api_key": "other"])
            #expect((await #expect(throws: SinkFault.self) { try await sink.open() })?.kind == .permanent)
            await sink.close()
        }
    }
}
