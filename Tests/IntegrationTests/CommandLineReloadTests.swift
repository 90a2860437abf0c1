import Foundation
import Testing
import ZKTecoEmulator

/// A running host that follows its files, with real terminals, sockets and signals.
@Suite("The command line and reloads")
struct CommandLineReloadTests {
    /// - Parameter ports: of the terminals, by their numbers. A terminal keeps its name: another one would be held.
    private func text(_ ports: [Int: Int], sinks: String = "audit", more: String = "") -> String {
        let devices = ports.sorted { $0.key < $1.key }.map { index, port in
            """
              t\(index):
                driver: zkteco
                settings: {address: 127.0.0.1, port: \(port)}
                sinks: [\(sinks)]

            """
        }
        return "data: DATA\ntimezone: UTC\nsinks:\n  audit: {type: file, path: audit.jsonl}\n" + more + "devices:\n"
            + devices.joined()
    }

    private func write(_ rig: CommandLineRig, _ text: String) throws {
        // As editors do: a new file takes the old one's place.
        try Data(text.replacing("DATA", with: rig.path("data")).utf8)
            .write(to: URL(fileURLWithPath: rig.path("muster.yaml")), options: .atomic)
    }

    /// Asks until the host answers what is wanted.
    private func wait(
        _ rig: CommandLineRig, _ arguments: [String], until isRight: (ChildOutput) throws -> Bool
    ) async throws {
        let end = Date().addingTimeInterval(60)
        while Date() < end {
            let output = try await ChildProcess.run(
                CommandLineRig.binary, arguments + ["--config", rig.path("muster.yaml")])
            if (try? isRight(output)) == true { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw HarnessError("\(arguments.joined(separator: " ")) never said what was wanted")
    }

    private func connections(_ fleet: EmulatorFleet) async -> [String] {
        var answers: [String] = []
        for server in fleet.servers { answers.append(await server.control("connections")) }
        return answers
    }

    @Test(
        "adds, removes and keeps devices, by command and by itself; an invalid file changes nothing",
        .timeLimit(.minutes(3)))
    func reload() async throws {
        var options = EmulatorOptions()
        options.records = 10
        options.port = 0
        options.pacing = .zero
        options.transports = .tcp
        let fleet = try await EmulatorFleet.bind(options, count: 4)
        let running = Task { try await fleet.run() }
        defer { running.cancel() }
        let ports = Dictionary(uniqueKeysWithValues: fleet.servers.map(\.port).enumerated().map { ($0, $1) })
        try await CommandLineRig.with(text(ports.filter { $0.key < 3 })) { rig in
            async let host = rig.muster("run", "--no-show", "--for", "100s")
            try await wait(rig, ["status", "--format", "json"]) { output in
                try output.objects().count { $0["state"] as? String == "online" } == 3
            }
            // The third terminal gives way to the fourth; the first is called differently.
            try write(
                rig, text(ports.filter { $0.key != 2 }).replacing("  t0:\n", with: "  t0:\n    name: Gate\n"))
            let answer = try await rig.muster("reload", "--format", "json").object()
            let outcome = answer["outcome"] as? String
            // The host may have seen it before it was asked.
            #expect(outcome == "applied" || outcome == "unchanged", "\(answer)")
            #expect(answer["generation"] as? Int == 2)
            try await wait(rig, ["status", "--format", "json"]) { output in
                let devices = try output.objects()
                return devices.count { $0["state"] as? String == "online" } == 3
                    && devices.contains { $0["name"] as? String == "Gate" }
            }
            #expect(
                await connections(fleet) == [
                    "1 connected, 1 since the start", "1 connected, 1 since the start",
                    "0 connected, 1 since the start", "1 connected, 1 since the start",
                ])
            // A mistake: refused, with its place.
            try write(rig, text(ports) + "  t9: {driver: zkteco, settings: {adress: 10.0.0.1}}\n")
            let refused = try await rig.muster("reload")
            #expect(refused.status == 78)
            #expect(refused.standardError.contains("muster.yaml:"), "\(refused.standardError)")
            #expect(refused.text.contains("Generation 2 goes on"))
            let status = try await rig.muster("status")
            #expect(status.text.contains("refused, generation 2 goes on"), "\(status.text)")
            // Nobody asks: the host sees it.
            try write(rig, text(ports, sinks: "audit, log", more: "  log: {type: file, path: log.jsonl}\n"))
            try await wait(rig, ["status", "--format", "json"]) { output in
                try output.objects().count { $0["state"] as? String == "online" } == 4
            }
            let counts = await connections(fleet)
            #expect(counts[0] == "1 connected, 1 since the start" && counts[1] == "1 connected, 1 since the start")
            #expect(counts[2] == "1 connected, 2 since the start")
            // The new sink gets everything, from the beginning.
            try await wait(rig, ["status"]) { _ in
                try String(contentsOfFile: rig.path("log.jsonl"), encoding: .utf8).split(separator: "\n").count == 40
            }
            await fleet.stop()
            _ = try await ChildProcess.run("/bin/sh", ["-c", "kill -TERM $(cat \(rig.path("data"))/host.lock)"])
            #expect(try await host.status == 0)
        }
    }
}
