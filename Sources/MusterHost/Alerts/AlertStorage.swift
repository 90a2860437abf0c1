import Alerts
import DeviceKit
import Journal
import Logging

/// Between the alerts' rows and the journal's.
enum AlertStorage {
    static let stateKinds = ["engine", "alert", "incident", "channel", "silence"]

    static func load(_ reader: JournalReader, random: any RandomSource) async throws(JournalError) -> AlertState {
        let parts = try await reader.alertParts(kinds: stateKinds)
        let name = String(UInt32(truncatingIfNeeded: random.next()), radix: 16)
        return AlertStore.state(parts.map(row), newHost: name)
    }

    static func save(_ changes: AlertStore.Changes, to journal: PunchJournal) async throws(JournalError) {
        try await journal.saveAlertParts(
            changes.written.map { StoredAlertPart(kind: $0.key.kind, name: $0.key.name, text: $0.text) },
            removing: changes.removed.map { StoredAlertPart(kind: $0.kind, name: $0.name, text: "") },
            bounded: ("history", AlertRunner.historyLength))
    }

    static func row(_ part: StoredAlertPart) -> AlertRow {
        AlertRow(key: AlertRow.Key(kind: part.kind, name: part.name), text: part.text)
    }

    static func context(
        _ name: String, _ configuration: HostConfiguration, _ time: any TimeSource, _ log: Logger
    ) -> ChannelContext {
        ChannelContext(name: name, baseDirectory: configuration.baseDirectory, time: time) { line, facts in
            log.error("\(line)", metadata: facts.mapValues { .string($0) })
        }
    }
}
