internal import DeviceKit

/// A terminal as far as the host can see it: a log, a clock, a serial number.
struct ModelTerminal {
    struct Record {
        /// The punch's place in the truth of its device.
        var punch: Int32
        var record: PunchRecord
    }

    let serial: String
    var log: [Record] = []
    /// Milliseconds that its clock is ahead of the truth.
    var clockOffset: Int64 = 0
    /// Its clock shows no date; punches get the first moment that it can show.
    var isClockBroken = false
    /// When its clock last jumped.
    var clockChangedAt: Int64 = 0
    let capacity: Int
    let hasClock: Bool

    func localTime(at truth: Instant, in zone: DeviceTimeZone) -> LocalDateTime {
        isClockBroken ? .unset : zone.localTime(at: truth + .milliseconds(clockOffset))
    }

    /// How many records lie before a place.
    static func recordCount(of place: Cursor) -> Int { ModelCursor(place).count }

    /// The next page of the log. Cursors hold a count and what the last record was, bound to the serial number.
    func page(after cursor: Cursor?, limit: Int) -> PollPage {
        var start = 0
        var reset: SourceReset?
        if let cursor {
            let place = ModelCursor(cursor)
            if place.serial != serial {
                reset = SourceReset(.deviceReplaced, "another serial number")
            } else if place.count > log.count || (place.count > 0 && Int(log[place.count - 1].punch) != place.last) {
                reset = SourceReset(.logRewritten, "the log is not the one that was read before")
            } else {
                start = place.count
            }
        }
        let end = min(start + limit, log.count)
        let place = ModelCursor(serial: serial, count: end, last: end > 0 ? Int(log[end - 1].punch) : 0)
        return PollPage(
            records: log[start..<end].map(\.record), cursor: place.cursor, hasMore: end < log.count,
            inventory: LogInventory(recordCount: log.count, recordCapacity: capacity), reset: reset)
    }
}

extension LocalDateTime {
    /// What a terminal shows whose battery was empty.
    static let unset = LocalDateTime(year: 2000, month: 1, day: 1) ?? .earliest
}

/// The model driver's place in a log, as text.
private struct ModelCursor {
    var serial: String
    var count: Int
    /// The number of the last record that was read.
    var last: Int

    init(serial: String, count: Int, last: Int) {
        self.serial = serial
        self.count = count
        self.last = last
    }

    init(_ cursor: Cursor) {
        let words = String(decoding: cursor.bytes, as: UTF8.self).split(separator: " ")
        serial = String(words[0])
        count = Int(words[1]) ?? 0
        last = Int(words[2]) ?? 0
    }

    var cursor: Cursor? { Cursor(bytes: Array("\(serial) \(count) \(last)".utf8)) }
}
