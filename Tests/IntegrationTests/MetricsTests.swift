import DeviceKit
import Foundation
import NIOHTTP1
import Testing
import ZKTecoEmulator

@Suite("Health and metrics over HTTP", .timeLimit(.minutes(3)))
struct MetricsTests {
    private func configuration(_ port: Int, terminals: [Int], extra: String = "") -> String {
        let devices = terminals.enumerated().map { index, port in
            """
              t\(index):
                driver: zkteco
                settings: {address: 127.0.0.1, port: \(port)}
                schedule: {poll: "* * * * *"}
                sinks: [audit]

            """
        }
        return """
            data: DATA
            timezone: UTC
            http: {listen: "127.0.0.1:\(port)"}
            sinks:
              audit: {type: file, path: "DATA/audit.jsonl"}
            \(extra)devices:
            \(devices.joined())
            """
    }

    /// Two terminals with records and a punch rate each, and the page that their host serves.
    private func underLoad(_ body: (CommandLineRig, String, Int) async throws -> Void) async throws {
        var options = EmulatorOptions()
        options.records = 5_000
        options.people = 200
        options.rate = Rate.perMinute(2_400)
        try await CommandLineRig.withTerminal(options) { first in
            options.serialNumber = "ZKT0000000002"
            options.seed = 2
            try await CommandLineRig.withTerminal(options) { second in
                let port = try FreePort.next()
                try await CommandLineRig.with(configuration(port, terminals: [first, second])) { rig in
                    try await body(rig, "http://127.0.0.1:\(port)", port)
                }
            }
        }
    }

    @Test("received = journaled + duplicate + rejected on every page under load, and across a restart")
    func conservation() async throws {
        try await underLoad { rig, url, _ in
            async let first = rig.muster("run", "--for", "8s")
            _ = try await Browser.untilServed(url + "/health/ready")
            var last = MetricsReading("")
            for _ in 0..<20 {
                // The page is made anew once a second at the most.
                try await Task.sleep(for: .milliseconds(250))
                last = MetricsReading(try await Browser.get(url + "/metrics").text)
                for device in ["t0", "t1"] { #expect(last.isConserved(device)) }
            }
            #expect(last.punches("t0")[0] > 5_000)
            #expect(last.punches("t1")[0] > 5_000)
            #expect(try await first.status == 0)

            // Captured punches stand in the log, too: the next start reads them again, so duplicates are counted.
            async let second = rig.muster("run", "--for", "6s")
            _ = try await Browser.untilServed(url + "/health/ready")
            var again = MetricsReading(try await Browser.get(url + "/metrics").text)
            for _ in 0..<40 where again.punches("t0")[2] == 0 {
                try await Task.sleep(for: .milliseconds(100))
                again = MetricsReading(try await Browser.get(url + "/metrics").text)
                for device in ["t0", "t1"] { #expect(again.isConserved(device)) }
            }
            for device in ["t0", "t1"] {
                #expect(again.isConserved(device))
                // Totals go on where they were.
                for (now, before) in zip(again.punches(device), last.punches(device)) { #expect(now >= before) }
            }
            #expect(again.punches("t0")[2] > 0)
            #expect(try await second.status == 0)
            let status = try await rig.muster("status", "--format", "json").objects()
            let file = try String(contentsOfFile: rig.path("data/audit.jsonl"), encoding: .utf8)
            let journaled = status.compactMap { $0["journaled"] as? Int }.reduce(0, +)
            #expect(file.split(separator: "\n").count == journaled)
        }
    }

    @Test("the page shows devices, sinks, the journal and the process")
    func page() async throws {
        try await underLoad { rig, url, _ in
            async let host = rig.muster("run", "--for", "6s")
            let live = try await Browser.untilServed(url + "/health/live")
            #expect(live.text == #"{"status":"ok"}"#)
            _ = try await Browser.untilServed(url + "/health/ready")
            var page = MetricsReading("")
            for _ in 0..<60 where page[#"muster_poll_duration_seconds_count{result="ok"}"#] ?? 0 < 2 {
                try await Task.sleep(for: .milliseconds(100))
                page = MetricsReading(try await Browser.get(url + "/metrics").text)
            }
            #expect(page["muster_ready"] == 1)
            #expect(page[#"muster_device_connected{device="t0"}"#] == 1)
            #expect(page[#"muster_device_connections_total{device="t0"}"#] == 1)
            #expect(page[#"muster_device_failures_in_a_row{device="t0"}"#] == 0)
            #expect((0...60).contains(page[#"muster_device_last_punch_age_seconds{device="t0"}"#] ?? -1))
            #expect((0...60).contains(page[#"muster_device_last_contact_age_seconds{device="t1"}"#] ?? -1))
            #expect(page[#"muster_device_log_capacity{device="t0"}"#] == 105_000)
            #expect((0.04...0.1).contains(page[#"muster_device_log_fill_ratio{device="t0"}"#] ?? -1))
            #expect(page["muster_journal_commit_duration_seconds_count"] ?? 0 > 2)
            #expect(page["muster_journal_used_bytes"] ?? 0 > 100_000)
            #expect(page["process_resident_memory_bytes"] ?? 0 > 1_000_000)
            #expect(page["process_open_fds"] ?? 0 > 5)
            #expect(abs((page["process_start_time_seconds"] ?? 0) - Date().timeIntervalSince1970) < 120)
            #expect(page["muster_metrics_series_dropped_total"] == 0)
            for _ in 0..<40 where page[#"muster_sink_delivered_total{sink="audit"}"#] ?? 0 < 10_000 {
                try await Task.sleep(for: .milliseconds(100))
                page = MetricsReading(try await Browser.get(url + "/metrics").text)
            }
            #expect(page[#"muster_sink_delivered_total{sink="audit"}"#] ?? 0 >= 10_000)
            #expect(page[#"muster_sink_failing{sink="audit"}"#] == 0)
            #expect(try await host.status == 0)
        }
    }

    @Test("whatever the dashboard and the alert rules of the examples name is on the page")
    func examples() async throws {
        let port = try FreePort.next()
        try await CommandLineRig.with(configuration(port, terminals: [])) { rig in
            async let host = rig.muster("run", "--for", "3s")
            _ = try await Browser.untilServed("http://127.0.0.1:\(port)/health/live")
            let known = MetricsReading(try await Browser.get("http://127.0.0.1:\(port)/metrics").text).names
            for file in ["examples/grafana/muster.json", "examples/prometheus/muster-rules.yaml"] {
                let text = try String(contentsOfFile: Examples.path(file), encoding: .utf8)
                let named = Set(text.matches(of: /\b(muster|process)_[a-z_]+\b/).map { String($0.output.0) })
                    .subtracting(Examples.otherWords)
                #expect(named.count > 10, "\(file)")
                let unknown = named.filter { name in
                    !known.contains(name)
                        && !known.contains { name == "\($0)_bucket" || name == "\($0)_sum" || name == "\($0)_count" }
                }
                #expect(unknown.isEmpty, "\(file)")
            }
            #expect(try await host.status == 0)
        }
    }

    @Test("errors are problems of RFC 9457, and nothing but reading is possible")
    func problems() async throws {
        let port = try FreePort.next()
        try await CommandLineRig.with(configuration(port, terminals: [])) { rig in
            async let host = rig.muster("run", "--for", "4s")
            let url = "http://127.0.0.1:\(port)"
            _ = try await Browser.untilServed(url + "/health/live")
            func expect(_ status: Int, _ answer: Browser.Answer, _ title: String) {
                #expect(answer.status == status)
                #expect(answer.headers.first(name: "content-type") == "application/problem+json")
                #expect(answer.object["status"] as? Int == status)
                #expect(answer.object["title"] as? String == title)
                #expect(answer.object["type"] as? String == "about:blank")
            }
            expect(404, try await Browser.get(url + "/nothing"), "Not Found")
            let post = try await Browser.get(url + "/metrics", method: .POST, body: "x")
            expect(405, post, "Method Not Allowed")
            #expect(post.headers.first(name: "allow") == "GET, HEAD")
            expect(413, try await Browser.get(url + "/metrics", body: "x"), "Content Too Large")
            expect(414, try await Browser.get(url + "/" + String(repeating: "x", count: 3_000)), "URI Too Long")
            expect(403, try await Browser.get(url + "/metrics", headers: [("Host", "evil.example")]), "Forbidden")
            let head = try await Browser.get(url + "/metrics", method: .HEAD)
            #expect(head.status == 200 && head.text.isEmpty)
            #expect(try await host.status == 0)
        }
    }

    @Test("with tokens, metrics need one and health does not")
    func tokens() async throws {
        let made = try await CommandLineRig.muster("token", "new", "--name", "prometheus")
        #expect(made.status == 0, "\(made.standardError)")
        let token = try #require(made.lines.first).description
        #expect(token.hasPrefix("muster_"))
        let port = try FreePort.next()
        let section = made.text.replacing(token, with: "").replacing(
            "http:", with: "http:\n  listen: \"0.0.0.0:\(port)\"")
        let text = configuration(port, terminals: []).replacing("http: {listen: \"127.0.0.1:\(port)\"}", with: section)
        try await CommandLineRig.with(text) { rig in
            async let host = rig.muster("run", "--for", "4s", "--log-level", "debug")
            let url = "http://127.0.0.1:\(port)"
            _ = try await Browser.untilServed(url + "/health/ready")
            let refused = try await Browser.get(url + "/metrics")
            #expect(refused.status == 401)
            #expect(refused.headers.first(name: "www-authenticate")?.hasPrefix("Bearer") == true)
            #expect(try await Browser.get(url + "/metrics", headers: [("Authorization", "Bearer wrong")]).status == 401)
            let page = try await Browser.get(url + "/metrics", headers: [("Authorization", "Bearer \(token)")])
            #expect(page.status == 200)
            #expect(page.text.contains("muster_build_info"))
            // Beyond ten wrong ones within a minute the address is refused for some seconds; health goes on.
            var statuses: [Int] = []
            var last = refused
            for number in 0..<12 {
                last = try await Browser.get(url + "/metrics", headers: [("Authorization", "Bearer guess\(number)")])
                statuses.append(last.status)
            }
            #expect(statuses == Array(repeating: 401, count: 9) + [429, 429, 429])
            #expect((1...6).contains(Int(last.headers.first(name: "retry-after") ?? "") ?? 0))
            #expect(last.headers.first(name: "content-type") == "application/problem+json")
            #expect(last.object["title"] as? String == "Too Many Requests")
            #expect(try await Browser.get(url + "/health/ready").status == 200)
            let output = try await host
            #expect(output.status == 0)
            #expect(!(output.standardError + output.text).contains(token))
            let told = output.standardError.split(separator: "\n").filter { $0.contains("wrong tokens come") }
            #expect(told.count == 1 && told.first?.contains("address=127.0.0.1") == true)
        }
    }

    @Test("an address that is taken is told once, and punches are collected all the same")
    func addressTaken() async throws {
        try await PythonServer.with("echo_server") { other in
            let text = configuration(other.port, terminals: []).replacing(
                "devices:\n",
                with: "devices:\n  lobby: {driver: simulator, settings: {people: 10, history: 2d}, sinks: [audit]}\n")
            try await CommandLineRig.with(text) { rig in
                let host = try await rig.muster("run", "--for", "3s")
                #expect(host.status == 0, "\(host.standardError)")
                let lines = host.standardError.split(separator: "\n").filter { $0.contains("cannot be served") }
                #expect(lines.count == 1)
                #expect(lines.first?.contains("listen=127.0.0.1:\(other.port)") == true)
                #expect(lines.first?.contains("in use") == true)
                #expect(!(try await rig.muster("punches").lines.isEmpty))
            }
        }
    }

    @Test("a client that sends a byte now and then is cut off")
    func slowClients() async throws {
        let port = try FreePort.next()
        try await CommandLineRig.with(configuration(port, terminals: [])) { rig in
            async let host = rig.muster("run", "--for", "16s")
            _ = try await Browser.untilServed("http://127.0.0.1:\(port)/health/live")
            let script = """
                import socket, sys, time
                client = socket.create_connection(("127.0.0.1", \(port)))
                client.settimeout(1)
                start = time.monotonic()
                client.sendall(b"GET /metrics HTTP/1.1\\r\\nX: ")
                while time.monotonic() - start < 15:
                    try:
                        client.sendall(b"x")
                        if client.recv(1000) == b"": break
                    except TimeoutError: pass
                    except OSError: break
                print(int(time.monotonic() - start))
                """
            let output = try await ChildProcess.run("/usr/bin/env", ["python3", "-c", script])
            let seconds = try #require(Int(output.text.trimmingCharacters(in: .whitespacesAndNewlines)))
            #expect((9...12).contains(seconds))
            #expect(try await host.status == 0)
        }
    }
}

/// The files under `examples/`.
enum Examples {
    static func path(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(name).path
    }

    /// Words of the examples that look like metrics and are none.
    static let otherWords: Set<String> = ["muster_rules"]
}
