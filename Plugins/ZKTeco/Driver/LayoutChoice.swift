internal import DeviceKit
internal import ZKTecoWire

/// Finds out how the records of a log are laid out, because no terminal says it.
enum LayoutChoice {
    /// - Parameters:
    ///   - byteCount: bytes of all records, without the length prefix.
    ///   - recordCount: the terminal's own counter; it may be off by the punches made in between, or unknown.
    ///   - sample: the first bytes of the records.
    /// - Returns: `nil` when no layout fits.
    static func layout(byteCount: Int, recordCount: Int?, sample: ArraySlice<UInt8>) -> RecordLayout? {
        let fitting = RecordLayout.allCases.filter { byteCount.isMultiple(of: $0.byteCount) }
        let judged = fitting.map { (layout: $0, plausibility: plausibility($0, sample)) }
            .filter { $0.plausibility > 0.5 }
        guard let best = judged.map(\.plausibility).max() else { return nil }
        // Nearly as plausible as the best, and then nearest to what the counter says.
        return judged.filter { $0.plausibility > best - 0.1 }.min {
            let left = distance($0.layout, byteCount, recordCount)
            let right = distance($1.layout, byteCount, recordCount)
            // The other form of 8 bytes read as 8b gives years before 2003, and is less plausible; 8b read as the other
            // may give any year.
            if left == right, $0.layout == .bytes8B || $1.layout == .bytes8B { return $0.layout == .bytes8B }
            return left == right ? $0.plausibility > $1.plausibility : left < right
        }?.layout
    }

    /// The layout of a log that none divides: something else stands between its records or after them.
    static func strayingLayout(byteCount: Int, recordCount: Int?, sample: ArraySlice<UInt8>) -> RecordLayout? {
        let judged = RecordLayout.allCases.filter { byteCount >= $0.byteCount * max(recordCount ?? 1, 1) }
            .map { (layout: $0, plausibility: plausibility($0, sample, skipping: RecordFiller.bytes)) }
        // Nothing but the records themselves speaks for it, so all of them have to.
        return judged.filter { $0.plausibility > certainty }.min {
            let left = distance($0.layout, byteCount, recordCount)
            let right = distance($1.layout, byteCount, recordCount)
            return left == right ? $0.layout.byteCount > $1.layout.byteCount : left < right
        }?.layout
    }

    /// Nearly every record of the sample is one, later than the one before.
    static func isCertain(_ layout: RecordLayout, _ sample: ArraySlice<UInt8>) -> Bool {
        plausibility(layout, sample) > certainty
    }

    private static let certainty = 0.9

    /// Whether a filler, and no record, begins here.
    static func isFiller(_ bytes: ArraySlice<UInt8>, _ layout: RecordLayout) -> Bool {
        guard layout == .bytes40, bytes.starts(with: RecordFiller.bytes) else { return false }
        // The person 55 in the slot 13055 looks the same, but makes a record. What follows a filler has zeros where the time
        // stands, and those are a date of 2000.
        guard let record = try? layout.decode(bytes.prefix(layout.byteCount)) else { return true }
        return record.time.date.year < earliestYear
    }

    /// A terminal whose clock was never set is before it, and still readable.
    private static let earliestYear = 2005

    /// How far the number of records in this layout is from the counter.
    private static func distance(_ layout: RecordLayout, _ byteCount: Int, _ recordCount: Int?) -> Int {
        guard let recordCount, recordCount > 0 else { return layout == .bytes40 ? 0 : 1 }
        return abs(byteCount / layout.byteCount - recordCount)
    }

    /// The share of the sample's records that decode, do not go back in time, and are no older than these terminals,
    /// 0...1.
    private static func plausibility(
        _ layout: RecordLayout, _ sample: ArraySlice<UInt8>, skipping filler: [UInt8] = []
    ) -> Double {
        var rest = sample.prefix(layout.byteCount * 64)
        var total = 0.0
        var good = 0.0
        var last: LocalDateTime?
        while rest.count >= layout.byteCount {
            if !filler.isEmpty, isFiller(rest, layout) {
                rest = rest.dropFirst(filler.count)
                continue
            }
            total += 1
            if let record = try? layout.decode(rest.prefix(layout.byteCount)) {
                let isOrdered = last.map { record.time >= $0 } ?? true
                good += (isOrdered ? 1 : 0.6) * (record.time.date.year >= earliestYear ? 1 : 0.6)
                last = record.time
            }
            rest = rest.dropFirst(layout.byteCount)
        }
        return total == 0 ? 0 : good / total
    }
}
