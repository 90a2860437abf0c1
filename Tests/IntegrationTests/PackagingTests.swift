import Foundation
import Testing

@Suite("What is packaged beside the program")
struct PackagingTests {
    @Test("the manual page names every command and option of the program")
    func manual() async throws {
        let help = try await CommandLineRig.muster("--experimental-dump-help").object()
        let page = try await ChildProcess.run(
            "/usr/bin/env", ["python3", Examples.path("examples/packaging/man.py"), CommandLineRig.binary])
        #expect(page.status == 0, "\(page.standardError)")
        let text = page.text.replacing("\\-", with: "-")
        var names: [String] = []
        func collect(_ command: [String: Any], _ path: String) {
            for child in command["subcommands"] as? [[String: Any]] ?? [] {
                guard let name = child["commandName"] as? String, name != "help" else { continue }
                names.append("\(path)\(name)")
                for argument in child["arguments"] as? [[String: Any]] ?? [] {
                    guard argument["shouldDisplay"] as? Bool == true, argument["kind"] as? String != "positional",
                        let long = (argument["names"] as? [[String: Any]])?.first(where: {
                            $0["kind"] as? String == "long"
                        }),
                        let option = long["name"] as? String
                    else { continue }
                    #expect(text.contains("--\(option)"), "\(path)\(name) --\(option)")
                }
                collect(child, "\(path)\(name) ")
            }
        }
        collect(try #require(help["command"] as? [String: Any]), "")
        #expect(names.count > 20)
        for name in names { #expect(text.contains(".SS \"\(name)"), "\(name)") }
        for word in ["FILES", "ENVIRONMENT", "SIGNALS", "EXIT STATUS", "EXAMPLES"] { #expect(text.contains(word)) }
    }

    @Test("the unit of systemd is as hardened as it says, where that can be asked")
    func unit() async throws {
        let path = Examples.path("examples/systemd/muster.service")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for line in ["Type=notify", "ExecStartPre=/usr/bin/muster check", "WatchdogSec=", "NoNewPrivileges=yes"] {
            #expect(text.contains("\n" + line), "\(line)")
        }
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze") else { return }
        let rating = try await ChildProcess.run(
            "/usr/bin/systemd-analyze", ["security", "--no-pager", "--offline=true", "--threshold=20", path])
        #expect(rating.status == 0, "\(rating.text)")
    }

    @Test("the dashboard can be imported: each panel has its place, its queries and a source that Grafana asks for")
    func dashboard() throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: Examples.path("examples/grafana/muster.json")))
        let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect((dashboard["__inputs"] as? [[String: Any]])?.first?["name"] as? String == "DS_PROMETHEUS")
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
        for panel in panels {
            #expect((panel["gridPos"] as? [String: Int])?.keys.sorted() == ["h", "w", "x", "y"])
            guard panel["type"] as? String != "row" else { continue }
            let targets = try #require(panel["targets"] as? [[String: Any]])
            #expect(!targets.isEmpty && targets.allSatisfy { ($0["expr"] as? String)?.isEmpty == false })
            #expect((panel["datasource"] as? [String: String])?["uid"] == "${DS_PROMETHEUS}")
        }
    }

    @Test("the alert rules are valid, and do what their test says, where Prometheus is installed")
    func rules() async throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool") else { return }
        for arguments in [["check", "rules", "muster-rules.yaml"], ["test", "rules", "muster-rules-test.yaml"]] {
            let output = try await ChildProcess.run(
                "/usr/bin/env", ["-C", Examples.path("examples/prometheus"), "promtool"] + arguments)
            #expect(output.status == 0, "\(output.text)\(output.standardError)")
        }
    }
}
