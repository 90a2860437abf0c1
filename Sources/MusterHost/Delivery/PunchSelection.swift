internal import DeviceKit
internal import Journal

/// What of its devices' punches a sink gets, and with which directions.
struct PunchSelection: Sendable {
    /// Punches with an implausible time, too.
    var includesInvalid = false
    /// `nil` for all.
    var directions: Set<Direction.Kind>?
    var rules = DirectionRules([])

    func select(
        from punches: [JournaledPunch], _ reader: JournalReader
    ) async throws(JournalError) -> [JournaledPunch] {
        let directed = try await rules.apply(to: punches, reader: reader)
        return directed.filter { journaled in
            (includesInvalid || journaled.punch.isValid)
                && directions?.contains(journaled.punch.record.direction.kind) ?? true
        }
    }
}
