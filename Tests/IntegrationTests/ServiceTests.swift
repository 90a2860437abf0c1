import Foundation
import Testing

@Suite("The host as a service", .timeLimit(.minutes(2)))
struct ServiceTests {
    private static let configuration = """
        data: DATA
        timezone: UTC
        http: {enabled: false}
        devices:
          lobby: {driver: simulator, settings: {people: 10, history: 2d}}
        """

    /// Collects what a service manager hears, with the time since its start in tenths of a second.
    private static let listener = """
        import os, socket, subprocess, sys, time
        address = sys.argv[1]
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.bind(address)
        environment = dict(os.environ, NOTIFY_SOCKET=address, WATCHDOG_USEC="1000000")
        start = time.monotonic()
        child = subprocess.Popen(sys.argv[2:], env=environment)
        listening.settimeout(0.1)
        while True:
            try:
                message = listening.recv(4096).decode().replace(chr(10), " ")
                print(int((time.monotonic() - start) * 10), message, flush=True)
            except TimeoutError:
                if child.poll() is not None: break
        sys.exit(child.returncode)
        """

    @Test("tells systemd that it is ready, lives, what it does, and that it stops")
    func notify() async throws {
        try await CommandLineRig.with(Self.configuration) { rig in
            let output = try await ChildProcess.run(
                "/usr/bin/env",
                [
                    "python3", "-c", Self.listener, rig.path("notify.sock"), CommandLineRig.binary, "run", "--for",
                    "4s",
                    "--config", rig.path("muster.yaml"),
                ])
            #expect(output.status == 0, "\(output.standardError)")
            let messages = output.lines.map { line in
                let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
                return (time: Int(parts[0]) ?? -1, text: parts[1])
            }
            let texts = messages.map(\.text)
            // Once more after each reading of the configuration that was told.
            let reloads = texts.count { $0.hasPrefix("RELOADING=1 MONOTONIC_USEC=") }
            #expect(texts.count { $0 == "READY=1" } == 1 + reloads)
            #expect(texts.last { !$0.hasPrefix("WATCHDOG") } == "STOPPING=1")
            #expect(texts.contains { $0.hasPrefix("STATUS=1 of 1 devices are connected") })
            // Half of the second that the watchdog allows.
            let signs = messages.filter { $0.text == "WATCHDOG=1" }.map(\.time)
            #expect(signs.count >= 6)
            for (one, next) in zip(signs, signs.dropFirst()) { #expect(next - one < 10) }
        }
    }

    @Test("the log level can be changed while it runs, for the rest of its life")
    func logLevel() async throws {
        try await CommandLineRig.with(Self.configuration + "\nlog: {format: json, level: notice}\n") { rig in
            let nobody = try await rig.muster("log-level")
            #expect(nobody.status == 69)
            async let host = rig.muster("run", "--for", "6s", "--no-show")
            var level = ""
            for _ in 0..<100 where level.isEmpty {
                try await Task.sleep(for: .milliseconds(50))
                level = try await rig.muster("log-level").text
            }
            #expect(level == "notice\n")
            #expect(try await rig.muster("log-level", "debug").text == "debug\n")
            #expect(try await rig.muster("log-level").text == "debug\n")
            try await rig.expect(64, "log-level", "loud")
            _ = try await rig.muster("sync", "lobby")
            let output = try await host
            let lines = try output.standardError.split(separator: "\n").map { line in
                try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
            }
            #expect(lines.contains { $0["level"] as? String == "debug" && $0["device"] as? String == "lobby" })
            #expect(lines.allSatisfy { $0["time"] is String && $0["message"] is String })
        }
    }

    @Test("status --check answers a monitoring system in one line, with exit codes 0 to 3")
    func check() async throws {
        try await CommandLineRig.with(Self.configuration) { rig in
            func check(_ status: Int32, _ word: String, _ options: String...) async throws -> String {
                let output = try await ChildProcess.run(
                    CommandLineRig.binary, ["status", "--check", "--config", rig.path("muster.yaml")] + options)
                #expect(output.status == status, "\(output.text)\(output.standardError)")
                #expect(output.lines.count == 1)
                #expect(output.text.hasPrefix("MUSTER \(word) - "), "\(output.text)")
                return output.text
            }
            #expect(try await check(2, "CRITICAL").contains("no host is running"))
            async let host = rig.muster("run", "--for", "5s")
            var isUp = false
            for _ in 0..<100 where !isUp {
                try await Task.sleep(for: .milliseconds(50))
                isUp = try await rig.muster("status", "--check").status == 0
            }
            #expect(try await check(0, "OK").contains("1 device, 0 sinks, all well | away=0;1;;0;1"))
            #expect(try await check(2, "CRITICAL", "--away", ",0").contains("0 of 1 devices are away"))
            #expect(try await host.status == 0)
            try rig.write("muster.yaml", "nonsense: 1\n")
            #expect(try await check(3, "UNKNOWN").contains("muster.yaml:1:1: error: nonsense"))
            let usage = try await rig.muster("status", "--check", "--lag", "soon")
            #expect(usage.status == 64)
        }
    }
}
