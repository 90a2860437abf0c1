internal import DeviceKit

// Reading the log.
extension DriverConformance {
    /// What two readings of one record must agree in; ``PunchRecord/raw`` may say how it was read.
    struct Fingerprint: Hashable, CustomStringConvertible {
        let code: String
        let localTime: LocalDateTime
        let direction: Direction
        let verification: Verification
        let workCode: String?

        init(_ record: PunchRecord) {
            code = record.code
            localTime = record.localTime
            direction = record.direction
            verification = record.verification
            workCode = record.workCode
        }

        var description: String { "\(code) at \(localTime)" }
    }

    /// Logs that are shorter prove nothing about pages.
    private static var minimumLogCount: Int { 20 }

    func checkWholeLog() async throws(Verdict) -> String {
        let (rig, session) = try await openForPolling()
        let truth = await rig.bench.log().map(Fingerprint.init)
        try require(
            truth.count >= Self.minimumLogCount, "the bench holds only \(truth.count) records: nothing is shown")
        let pages = try await read(rig, session, from: nil, limit: 100)
        let rejected = pages.flatMap(\.rejected)
        try require(
            rejected.isEmpty, "\(rejected.count) records were rejected, the first: \(rejected.first?.reason ?? "")")
        try compare(Self.fingerprints(pages), with: truth, "the whole log")
        try await rig.close(session)
        return "\(truth.count) records, each once, in order"
    }

    func checkPageLimits() async throws(Verdict) -> String {
        let (rig, session) = try await openForPolling()
        let limits = [1_000, 1, 2, 7]
        var expected: [Fingerprint]?
        for limit in limits {
            let read = Self.fingerprints(try await read(rig, session, from: nil, limit: limit))
            try compare(read, with: expected ?? read, "pages of \(limit) against pages of \(limits[0])")
            expected = expected ?? read
        }
        try await rig.close(session)
        return "the same \(expected?.count ?? 0) records with limits \(limits.sorted())"
    }

    func checkResuming() async throws(Verdict) -> String {
        let (rig, session) = try await openForPolling()
        let pages = try await read(rig, session, from: nil, limit: 1)
        let all = Self.fingerprints(pages)
        try await rig.close(session)
        var seen = 0
        for page in pages {
            seen += page.records.count
            let (_, next) = try await openForPolling(rig)
            let rest = Self.fingerprints(try await read(rig, next, from: page.cursor, limit: 100))
            try await rig.close(next)
            let isWhole = rest.count >= all.count - seen && all.suffix(rest.count) == rest[...]
            try require(isWhole, "after \(seen) of \(all.count) records, reading on gave \(rest.count) others")
        }
        return "resumed from each of \(pages.count) cursors"
    }

    func checkRepeating() async throws(Verdict) -> String {
        let (rig, session) = try await openForPolling()
        let pages = try await read(rig, session, from: nil, limit: 7)
        var cursors: [Cursor?] = [nil]
        cursors += pages.map(\.cursor)
        for (number, cursor) in cursors.enumerated() {
            let first = try await poll(rig, session, cursor, limit: 7)
            let second = try await poll(rig, session, cursor, limit: 7)
            let isRepeated = Set(second.records.map(Fingerprint.init)).isSuperset(
                of: first.records.map(Fingerprint.init))
            try require(isRepeated, "cursor \(number) gave \(first.records.count) records, then others")
        }
        try await rig.close(session)
        return "asked twice with each of \(cursors.count) cursors"
    }

    func checkForeignCursor() async throws(Verdict) -> String {
        let (rig, session) = try await openForPolling()
        guard let foreign = Cursor(bytes: Array("not a cursor of this driver".utf8)) else {
            throw .failed("a cursor of 27 bytes is refused by the kit")
        }
        let answer = try await rig.answer(of: "poll with a foreign cursor") { () async throws(DeviceFault) in
            try await session.poll(PollRequest(cursor: foreign, limit: 10))
        }.get()
        try await rig.close(session)
        switch answer {
        case .failure(let fault): return "refused: \(fault.message)"
        case .success(let page):
            guard let reset = page.reset else {
                throw .failed("a foreign cursor was taken as if it were the driver's own")
            }
            return "reset: \(reset.message)"
        }
    }

    // MARK: Reading

    func openForPolling(
        _ rig: Rig<Driver>? = nil
    ) async throws(Verdict) -> (Rig<Driver>, any PollingSession) {
        guard Driver.manifest.intakes.contains(.polling) else { throw .notApplicable("the driver does not poll") }
        var opened = rig
        if opened == nil { opened = try await makeRig() }
        guard let rig = opened, let session = try await rig.open() as? any PollingSession else {
            throw .failed("the manifest promises polling, the session lacks it")
        }
        return (rig, session)
    }

    func poll(
        _ rig: Rig<Driver>, _ session: any PollingSession, _ cursor: Cursor?, limit: Int
    ) async throws(Verdict) -> PollPage {
        try await rig.value(of: "poll") { () async throws(DeviceFault) in
            try await session.poll(PollRequest(cursor: cursor, limit: limit))
        }
    }

    /// All pages from a cursor on.
    func read(
        _ rig: Rig<Driver>, _ session: any PollingSession, from start: Cursor?, limit: Int
    ) async throws(Verdict) -> [PollPage] {
        var pages: [PollPage] = []
        var cursor = start
        let maximumCount = 10_000
        while pages.count < maximumCount {
            let page = try await poll(rig, session, cursor, limit: limit)
            try require(page.cursor != nil || page.records.isEmpty, "a page with records has no cursor")
            pages.append(page)
            guard page.hasMore else { return pages }
            try require(page.cursor != cursor, "a page says that more follows, and its cursor has not moved")
            cursor = page.cursor
        }
        throw .failed("after \(maximumCount) pages there is still more")
    }

    static func fingerprints(_ pages: [PollPage]) -> [Fingerprint] {
        pages.flatMap { $0.records.map(Fingerprint.init) }
    }

    func compare(_ found: [Fingerprint], with expected: [Fingerprint], _ what: String) throws(Verdict) {
        guard found != expected else { return }
        let place = zip(found, expected).prefix { $0 == $1 }.count
        let difference =
            place < min(found.count, expected.count)
            ? "record \(place) is \(found[place]), not \(expected[place])"
            : "\(found.count) records instead of \(expected.count)"
        throw .failed("\(what): \(difference)")
    }
}
