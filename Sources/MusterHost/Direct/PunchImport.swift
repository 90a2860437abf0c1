public import DeviceKit
public import Journal

/// Takes punches from elsewhere into the journal, as if the devices had sent them. What the journal has already is
/// counted and not taken again.
public final class PunchImport {
    /// A punch from elsewhere.
    public struct Item: Sendable {
        public var device: HostConfiguration.Device
        public var record: PunchRecord
        /// `nil` where only the wall clock is known: then it is read in the device's zone, in the order of the source.
        public var time: Instant?
        /// The source has marked it as invalid: it stays so, with the source's notes.
        public var isInvalid: Bool
        public var notes: String

        public init(
            device: HostConfiguration.Device, record: PunchRecord, time: Instant? = nil, isInvalid: Bool = false,
            notes: String = ""
        ) {
            self.device = device
            self.record = record
            self.time = time
            self.isInvalid = isInvalid
            self.notes = notes
        }
    }

    /// What became of the punches.
    public struct Outcome: Sendable, Hashable {
        public var new = 0
        /// The journal has them already, or they stand in the source more than once.
        public var known = 0
        /// Taken, and marked invalid: for their time, or because the source has marked them so.
        public var implausible = 0
    }

    public private(set) var outcome = Outcome()

    private let directory: DataDirectory
    /// `nil` in a dry run.
    private let journal: PunchJournal?
    private let reader: JournalReader?
    private let time: any TimeSource
    private var intakes: [DeviceID: Intake] = [:]
    /// Stands for the punches that a dry run has seen.
    private var seen: Set<Int> = []

    /// - Parameter isDryRun: counts and changes nothing.
    /// - Throws: ``JournalError`` when a host owns the data directory.
    public init(
        into directory: DataDirectory, isDryRun: Bool, time: any TimeSource = SystemTime()
    ) throws(JournalError) {
        self.directory = directory
        self.time = time
        journal = isDryRun ? nil : try PunchJournal(directory)
        if let journal {
            reader = journal.reader
        } else {
            reader = directory.hasJournal ? try JournalReader(directory) : nil
        }
    }

    /// How far an earlier import of this source has come; `nil` when there was none.
    public func place(of source: String) async throws(JournalError) -> String? {
        try await reader?.importPlace(of: source)
    }

    /// Takes a batch, some thousands at the most.
    /// - Parameter place: how far the source is read with this batch, kept for the next import of `source`.
    public func add(_ items: [Item], place: (source: String, place: String)? = nil) async throws(JournalError) {
        // In runs of one device, so that the order of the source is the order of the journal.
        var rest = items[...]
        while let first = rest.first {
            let run = rest.prefix { $0.device.id == first.device.id }
            try await add(Array(run), of: first.device)
            rest = rest.dropFirst(run.count)
        }
        if let place { try await journal?.saveImportPlace(place.place, of: place.source) }
    }

    private func add(_ items: [Item], of device: HostConfiguration.Device) async throws(JournalError) {
        let now = time.now()
        var intake = intakes[device.id] ?? Intake(device: device.id, zone: device.zone, source: .import)
        if let reader, let span = Intake.doubt(items.filter { $0.time == nil }.map(\.record), zone: device.zone) {
            intake.memory.known = try await reader.moments(of: device.id, in: span)
        }
        let punches = items.map { item in
            var punch = intake.punch(item.record, at: item.time, receivedAt: now)
            if item.isInvalid, punch.isValid {
                punch.isValid = false
                let reason = "marked as invalid where it was imported from"
                if item.notes.isEmpty { punch.notes = punch.notes.isEmpty ? reason : "\(punch.notes); \(reason)" }
            }
            if !item.notes.isEmpty, punch.notes != item.notes {
                punch.notes = punch.notes.isEmpty ? item.notes : "\(punch.notes); \(item.notes)"
            }
            return punch
        }
        intakes[device.id] = intake
        outcome.implausible += punches.count { !$0.isValid }
        guard let journal else { return try await compare(punches, of: device.id) }
        let receipt = try await journal.commit(JournalEntry(device: device.id, punches: punches, receivedAt: now))
        outcome.new += receipt.journaled
        outcome.known += receipt.duplicates
    }

    private func compare(_ punches: [Punch], of device: DeviceID) async throws(JournalError) {
        let times = punches.map(\.time)
        guard let first = times.min(), let last = times.max() else { return }
        let known = try await reader?.moments(of: device, in: first...last) ?? []
        for punch in punches {
            let isKnown = known.contains(Intake.Moment(code: punch.code, instant: punch.time))
            var hasher = Hasher()
            hasher.combine(device)
            hasher.combine(punch.code)
            hasher.combine(punch.time)
            if seen.insert(hasher.finalize()).inserted, !isKnown { outcome.new += 1 } else { outcome.known += 1 }
        }
    }
}
