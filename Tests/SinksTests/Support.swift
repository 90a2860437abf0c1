import DeviceKit
import DeviceKitTesting
import Foundation
import Testing

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
