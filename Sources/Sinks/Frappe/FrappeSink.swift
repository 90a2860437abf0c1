public import DeviceKit
internal import Web

/// Makes an Employee Checkin of each punch at a Frappe HR or ERPNext site.
///
/// The site knows a repetition by employee, time and log type, and says so in a sentence of its own language. So a
/// refusal that has no name of its own is settled by looking: what stands there already is delivered. The direction
/// that a punch was first delivered with stays.
public actor FrappeSink: PunchSink {
    public static let manifest = SinkManifest(
        id: "frappe", summary: "Makes Employee Checkins at a Frappe HR or ERPNext site.")

    private let settings: FrappeSettings
    private let makeExchange: @Sendable () throws(SinkFault) -> any HTTPExchange
    private var site: FrappeSite?
    private var employees: [String: String] = [:]
    /// An answer may have been lost: the next batch is looked up before it is sent.
    private var mayRepeat = true

    /// Each punch is a request, and a fault repeats the batch.
    public nonisolated let largestBatch = 100

    /// More names than that are forgotten and asked for again.
    private static let rememberedEmployeeCount = 10_000

    public init(settings: FrappeSettings, context: SinkContext) throws(SinkFault) {
        self.settings = settings
        makeExchange = { () throws(SinkFault) in
            try WebClient(settings.web, baseDirectory: context.baseDirectory)
        }
    }

    public func open() async throws(SinkFault) {
        await close()
        let site = FrappeSite(settings: settings, exchange: try makeExchange())
        self.site = site
        employees = [:]
        mayRepeat = true
        try await site.checkCredentials()
    }

    public func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery {
        guard let site else { throw SinkFault(.transient, "the site is not open") }
        // One person's punches in their order, some people at a time.
        var people: [[JournaledPunch]] = []
        var places: [String: Int] = [:]
        for journaled in batch {
            if let place = places[journaled.punch.code] {
                people[place].append(journaled)
            } else {
                places[journaled.punch.code] = people.count
                people.append([journaled])
            }
        }
        let rejected = try await deliver(people, to: site)
        mayRepeat = false
        return Delivery(rejected: rejected.sorted { $0.position < $1.position })
    }

    public func close() async {
        await site?.exchange.close()
        site = nil
    }

    private func deliver(
        _ people: [[JournaledPunch]], to site: FrappeSite
    ) async throws(SinkFault) -> [Delivery.Rejection] {
        typealias Outcome = Result<[Delivery.Rejection], SinkFault>
        let outcome = await withTaskGroup(of: Outcome.self) { group in
            var waiting = people.makeIterator()
            func start() {
                guard let person = waiting.next() else { return }
                group.addTask {
                    do throws(SinkFault) {
                        return .success(try await self.deliver(person: person, to: site))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            for _ in 0..<settings.concurrency { start() }
            var rejected: [Delivery.Rejection] = []
            while let outcome = await group.next() {
                guard case .success(let more) = outcome else {
                    // The answers of what is under way do not matter: after a fault everything is looked up.
                    group.cancelAll()
                    return outcome
                }
                rejected += more
                start()
            }
            return .success(rejected)
        }
        return try outcome.get()
    }

    private func deliver(
        person: [JournaledPunch], to site: FrappeSite
    ) async throws(SinkFault) -> [Delivery.Rejection] {
        var rejected: [Delivery.Rejection] = []
        for journaled in person {
            if let reason = try await deliver(journaled.punch, to: site) {
                rejected.append(.init(position: journaled.position, reason: reason))
            }
        }
        return rejected
    }

    /// - Returns: why the site will not take it; `nil` when it has it.
    private func deliver(_ punch: Punch, to site: FrappeSite) async throws(SinkFault) -> String? {
        let checkin = FrappeSite.Checkin(punch, zone: settings.zone)
        let employee: String
        switch try await self.employee(checkin.code, site) {
        case .one(let name): employee = name
        case .problem(let reason): return reason
        }
        if mayRepeat, try await exists(checkin, employee, site) { return nil }
        switch try await site.add(checkin) {
        case .taken(let name, let time):
            try await check(time, of: name, against: checkin, site)
            return nil
        case .refused(let refusal):
            return try await reason(for: refusal, checkin, employee, site)
        }
    }

    private enum Lookup {
        case one(String)
        case problem(String)
    }

    /// Only who was found is remembered: the others may be entered at any time.
    private func employee(_ code: String, _ site: FrappeSite) async throws(SinkFault) -> Lookup {
        if let known = employees[code] { return .one(known) }
        let names = try await site.employees(code: code)
        guard let name = names.first else {
            return .problem("unmatched at target: no Employee has \(settings.employeeField) \(code)")
        }
        guard names.count == 1 else {
            return .problem("unmatched at target: several Employees have \(settings.employeeField) \(code)")
        }
        if employees.count >= Self.rememberedEmployeeCount { employees = [:] }
        employees[code] = name
        return .one(name)
    }

    private func exists(
        _ checkin: FrappeSite.Checkin, _ employee: String, _ site: FrappeSite
    ) async throws(SinkFault) -> Bool {
        try await site.checkins(employee: employee, time: checkin.time).contains {
            ($0.logType ?? "") == (checkin.logType ?? "") || $0.device == checkin.device
        }
    }

    private func reason(
        for refusal: FrappeSite.Refusal, _ checkin: FrappeSite.Checkin, _ employee: String, _ site: FrappeSite
    ) async throws(SinkFault) -> String? {
        switch refusal.exception {
        case "InactiveEmployeeStatusError": return "inactive at target: \(refusal.sentence)"
        case "CheckinRadiusExceededError":
            return "the site wants another place: set latitude and longitude of the terminals. \(refusal.sentence)"
        default: break
        }
        if try await exists(checkin, employee, site) { return nil }
        // The employee may have been renamed or lost the id since it was looked up.
        employees[checkin.code] = nil
        let hint = checkin.logType == nil ? " (the terminal gives no direction: see direction:)" : ""
        return "refused by the site: \(refusal.sentence)\(hint)"
    }

    /// A user without write access to level 1 makes check-ins at the time of the request, silently.
    private func check(
        _ time: String?, of name: String, against checkin: FrappeSite.Checkin, _ site: FrappeSite
    ) async throws(SinkFault) {
        guard let time, time.prefix(19).replacing("T", with: " ") != checkin.time else { return }
        try await site.delete(checkin: name)
        throw SinkFault(
            .permanent,
            "the site stored \(time) for a punch of \(checkin.time): give the key's user write access to level 1 of Employee Checkin"
        )
    }
}
