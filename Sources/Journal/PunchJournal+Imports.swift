internal import GRDB

/// How far imports from elsewhere have come, so that one that was interrupted goes on.
extension PunchJournal {
    public func saveImportPlace(_ place: String, of source: String) async throws(JournalError) {
        try await change { database, _ in
            try database.execute(
                sql: "INSERT OR REPLACE INTO imports (source, place) VALUES (?, ?)", arguments: [source, place])
        }
    }
}

extension JournalReader {
    /// - Returns: `nil` for a source that was never imported.
    public func importPlace(of source: String) async throws(JournalError) -> String? {
        try await read {
            try String.fetchOne($0, sql: "SELECT place FROM imports WHERE source = ?", arguments: [source])
        }
    }
}
