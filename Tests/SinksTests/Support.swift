import DeviceKit
import DeviceKitTesting
import Foundation
import Synchronization
import Testing
import Web

@testable import Sinks

/// A directory that is removed when the value goes away.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("muster-sink-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)), as: UTF8.self)
    }

    func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }

    func context(log: any DriverLog = SilentLog()) -> SinkContext {
        SinkContext(name: "audit", baseDirectory: path, time: ManualTime(), log: log)
    }
}

/// The punch at a position: one a minute from 2025-06-15 15:06:40, of person 7 at the lobby.
func punch(
    _ position: Int64, device name: String = "lobby", code: String = "7", notes: String = "", raw: String? = nil,
    workCode: String? = nil
) throws -> JournaledPunch {
    let instant = Instant(secondsSince1970: 1_750_000_000 + position * 60)
    let record = PunchRecord(
        code: code, localTime: DeviceTimeZone.utc.localTime(at: instant), direction: Direction(.in, raw: 0),
        verification: Verification(.fingerprint, raw: 1), workCode: workCode,
        raw: RawJSON(trusted: raw ?? "{\"n\":\(position)}"))
    let device = try #require(DeviceID(name))
    return JournaledPunch(
        position: position,
        punch: Punch(
            device: device, time: instant, record: record, source: .capture, receivedAt: instant + .seconds(1),
            notes: notes))
}

func punches(_ positions: ClosedRange<Int64>, device: String = "lobby") throws -> [JournaledPunch] {
    try positions.map { try punch($0, device: device) }
}

func lines(_ punches: some Sequence<JournaledPunch>) -> String {
    punches.map { $0.punch.json.text + "\n" }.joined()
}

/// A server that exists in the test only: it keeps what it was asked, and `answer` decides.
final class ScriptedExchange: HTTPExchange {
    private let asked = Mutex<[WebRequest]>([])
    private let answer: @Sendable (WebRequest, Int) throws(SinkFault) -> WebResponse

    /// - Parameter answer: gets the request and how many came before it.
    init(_ answer: @escaping @Sendable (WebRequest, Int) throws(SinkFault) -> WebResponse) { self.answer = answer }

    var requests: [WebRequest] { asked.withLock { $0 } }

    func perform(_ request: WebRequest) async throws(SinkFault) -> WebResponse {
        let number = asked.withLock { asked in
            asked.append(request)
            return asked.count - 1
        }
        return try answer(request, number)
    }

    func close() async {}
}

extension WebRequest {
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:]
    }
}

extension SettingsSchema {
    /// As ``values(_:)``, with lists.
    func values(_ texts: [String: String], lists: [String: [String]]) throws(ConfigurationError) -> SettingsValues {
        let mark = SourceMark(file: "settings")
        func scalar(_ text: String, _ path: String) -> ConfigurationNode {
            ConfigurationNode(.scalar(.init(text, origin: "settings")), at: mark, path: path)
        }
        var members = texts.map { key, text in
            ConfigurationNode.Member(key: key, keyMark: mark, node: scalar(text, key))
        }
        for (key, items) in lists {
            let nodes = items.map { scalar($0, key) }
            members.append(
                .init(key: key, keyMark: mark, node: ConfigurationNode(.sequence(nodes), at: mark, path: key)))
        }
        var report: [Diagnostic] = []
        guard let values = decode(ConfigurationNode(.mapping(members), at: mark, path: ""), reportingTo: &report)
        else { throw ConfigurationError(report) }
        return values
    }
}
