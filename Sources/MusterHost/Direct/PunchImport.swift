public import DeviceKit
public import Journal

/// Takes records of a file into the journal, as if the device had sent them.
public struct PunchImport: Sendable {
    private let device: HostConfiguration.Device
    private let records: [PunchRecord]
    private let time: any TimeSource

    /// What became of the records.
    public struct Outcome: Sendable, Hashable {
        public var new = 0
        /// The journal has them already, or they stand in the file more than once.
        public var known = 0
        /// Taken, and marked invalid for their time.
        public var implausible = 0
    }

    private static let batchCount = 1_000

    public init(device: HostConfiguration.Device, records: [PunchRecord], time: any TimeSource = SystemTime()) {
        self.device = device
        self.records = records
        self.time = time
    }

    /// - Parameter isDryRun: counts and changes nothing.
    /// - Throws: ``JournalError`` when a host owns the data directory.
    public func run(into directory: DataDirectory, isDryRun: Bool) async throws(JournalError) -> Outcome {
        let now = time.now()
        var intake = Intake(device: device.id, zone: device.zone, source: .import)
        if directory.hasJournal, let span = Intake.doubt(records, zone: device.zone) {
            intake.memory.known = try await JournalReader(directory).moments(of: device.id, in: span)
        }
        let punches = records.map { intake.punch($0, receivedAt: now) }
        var outcome = Outcome(implausible: punches.count { !$0.isValid })
        if isDryRun {
            try await compare(punches, directory, &outcome)
            return outcome
        }
        let journal = try PunchJournal(directory)
        for start in stride(from: 0, to: punches.count, by: Self.batchCount) {
            let batch = Array(punches[start..<min(start + Self.batchCount, punches.count)])
            let receipt = try await journal.commit(JournalEntry(device: device.id, punches: batch, receivedAt: now))
            outcome.new += receipt.journaled
            outcome.known += receipt.duplicates
        }
        return outcome
    }

    private struct Identity: Hashable {
        let code: String
        let time: Instant
    }

    private func compare(
        _ punches: [Punch], _ directory: DataDirectory, _ outcome: inout Outcome
    ) async throws(JournalError) {
        var seen: Set<Identity> = []
        if directory.hasJournal {
            let reader = try JournalReader(directory)
            var filter = JournalReader.Filter(device: device.id)
            while true {
                let page = try await reader.punches(filter, limit: 10_000)
                guard let last = page.last else { break }
                for known in page { seen.insert(Identity(code: known.punch.code, time: known.punch.time)) }
                filter.afterPosition = last.position
            }
        }
        for punch in punches {
            if seen.insert(Identity(code: punch.code, time: punch.time)).inserted {
                outcome.new += 1
            } else {
                outcome.known += 1
            }
        }
    }
}
