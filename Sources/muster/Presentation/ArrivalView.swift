internal import DeviceKit
internal import Journal

/// What a person sees of a running host: punches as they arrive, and in one line what a longer read has brought.
struct ArrivalView: Sendable {
    private var writer = PunchWriter(.table)

    /// More punches than this of one device's log are summed up: the first read of a terminal may bring 100,000.
    static let readableCount = 10

    /// The lines for the next punches of the journal.
    mutating func text(_ punches: [Punch]) -> String {
        var counts: [DeviceID: Int] = [:]
        for punch in punches where punch.source != .capture { counts[punch.device, default: 0] += 1 }
        let summed = counts.filter { $0.value > Self.readableCount }
        let shown = punches.filter { $0.source == .capture || summed[$0.device] == nil }
        let summaries = summed.sorted { $0.key < $1.key }.map { device, count in
            "\(device): \(count) punches from the terminal's log\n"
        }
        return summaries.joined() + writer.page(shown)
    }

    /// Follows the journal until the task is cancelled, or until it cannot be read.
    /// - Parameter directory: may still be empty; the host makes its journal.
    static func follow(_ directory: DataDirectory, after start: Int64) async throws {
        let reader = try await reader(directory)
        var view = ArrivalView()
        var filter = JournalReader.Filter()
        filter.afterPosition = start
        while true {
            let page = try await reader.punches(filter, limit: 10_000)
            if let end = page.last {
                StandardOutput.write(view.text(page.map(\.punch)))
                filter.afterPosition = end.position
            }
            try await Task.sleep(for: interval)
        }
    }

    /// Waits for a journal that can be read.
    private static func reader(_ directory: DataDirectory) async throws -> JournalReader {
        while true {
            if directory.hasJournal, let reader = try? JournalReader(directory),
                (try? await reader.latestPosition()) != nil
            {
                return reader
            }
            try await Task.sleep(for: interval)
        }
    }

    /// Nobody reads faster; several devices' punches come in one page.
    private static let interval = Duration.milliseconds(250)
}
