import DeviceKit
import Foundation
import Journal
import Testing

/// A data directory that is removed when the value goes away.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("muster-\(UUID().uuidString)").path
    }

    var data: DataDirectory { DataDirectory(path: path) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

func device(_ name: String) throws -> DeviceID { try #require(DeviceID(name)) }

/// The `number`-th punch of a day: one a second, of person `code`.
func punch(_ device: DeviceID, code: String = "7", second number: Int64, notes: String = "") throws -> Punch {
    let instant = Instant(secondsSince1970: 1_750_000_000 + number)
    let record = PunchRecord(
        code: code, localTime: DeviceTimeZone.utc.localTime(at: instant), direction: Direction(.in, raw: 0),
        verification: Verification(.fingerprint, raw: 1), workCode: nil, raw: RawJSON(trusted: "{\"n\":\(number)}"))
    return Punch(
        device: device, time: instant, record: record, source: .poll, receivedAt: instant + .seconds(5), notes: notes)
}

func entry(
    _ device: DeviceID, _ punches: [Punch], rejected: [RejectedRecord] = [],
    cursor: JournalEntry.CursorChange = .keep, beginsEpoch: Bool = false
) -> JournalEntry {
    JournalEntry(
        device: device, punches: punches, rejected: rejected, cursor: cursor, beginsEpoch: beginsEpoch,
        receivedAt: Instant(secondsSince1970: 1_750_000_500))
}
