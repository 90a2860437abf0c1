public import DeviceKit
internal import GRDB

/// Deliveries besides the order of the journal: replays, and dead letters that somebody looks after.
extension PunchJournal {
    /// A sink gets punches again that it has had.
    /// - Parameters:
    ///   - sink: a sink that the journal has met; punches that it has not reached yet come anyway and are not counted.
    ///   - filter: which punches; by their time, not by their arrival.
    ///   - devices: the devices whose punches the sink gets.
    /// - Returns: how many punches it gets again.
    @discardableResult
    public func replay(
        to sink: String, _ filter: JournalReader.Filter, devices: Set<DeviceID>
    ) async throws(JournalError) -> Int {
        let progress = try await reader.sinkProgress(sink) ?? SinkProgress()
        let first = try await reader.read { try Int64.fetchOne($0, sql: "SELECT min(position) FROM punches") ?? 0 }
        var count = 0
        // Few groups: most devices follow their sink.
        for (position, group) in Dictionary(grouping: devices, by: { progress.position(of: $0) }) {
            // In portions, so that captures do not wait for the whole of a long journal.
            for start in stride(from: first, through: position, by: Self.replayedAtOnce) {
                let end = min(start + Int64(Self.replayedAtOnce) - 1, position)
                count += try await replay(to: sink, PunchQuery(filter), start...end, group.map(\.name))
            }
        }
        return count
    }

    private static let replayedAtOnce = 20_000

    private func replay(
        to sink: String, _ query: PunchQuery, _ positions: ClosedRange<Int64>, _ names: [String]
    ) async throws(JournalError) -> Int {
        try await changedRows(
            """
            INSERT INTO redeliveries (sink, position) SELECT ?, position FROM \(PunchQuery.byPosition)
            WHERE \(query.condition) AND position BETWEEN ? AND ?
                AND name IN (\(databaseQuestionMarks(count: names.count)))
            ON CONFLICT DO NOTHING
            """,
            StatementArguments([sink]) + query.arguments
                + StatementArguments([positions.lowerBound, positions.upperBound]) + StatementArguments(names))
    }

    /// Lets a sink try its dead letters once more.
    /// - Parameter positions: which letters; `nil` for all that are parked.
    /// - Returns: how many.
    @discardableResult
    public func retryDeadLetters(of sink: String, positions: [Int64]? = nil) async throws(JournalError) -> Int {
        let (condition, arguments) = Self.letters(sink, positions, isDiscardedToo: positions != nil)
        return try await changedRows(
            """
            INSERT INTO redeliveries (sink, position) SELECT sink, position FROM dead_letters WHERE \(condition)
            ON CONFLICT DO NOTHING
            """, arguments)
    }

    /// Marks dead letters as of no use. They stay for the record and are not counted any more.
    /// - Parameter positions: which letters; `nil` for all that are parked.
    /// - Returns: how many.
    @discardableResult
    public func discardDeadLetters(
        of sink: String, positions: [Int64]? = nil, at now: Instant
    ) async throws(JournalError) -> Int {
        let (condition, arguments) = Self.letters(sink, positions, isDiscardedToo: false)
        return try await changedRows(
            "UPDATE dead_letters SET discarded_at = ? WHERE \(condition)",
            StatementArguments([now.millisecondsSince1970]) + arguments)
    }

    private static func letters(
        _ sink: String, _ positions: [Int64]?, isDiscardedToo: Bool
    ) -> (condition: String, arguments: StatementArguments) {
        var condition = "sink = ?"
        if !isDiscardedToo { condition += " AND discarded_at IS NULL" }
        guard let positions else { return (condition, [sink]) }
        return (
            condition + " AND position IN (\(databaseQuestionMarks(count: positions.count)))",
            StatementArguments([sink]) + StatementArguments(positions)
        )
    }

    private func changedRows(_ sql: String, _ arguments: StatementArguments) async throws(JournalError) -> Int {
        try await value { database, _ in
            let before = database.totalChangesCount
            try database.execute(sql: sql, arguments: arguments)
            return database.totalChangesCount - before
        }
    }
}
