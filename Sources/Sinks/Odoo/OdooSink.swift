public import DeviceKit
internal import Foundation
internal import Web

/// Keeps attendances at an Odoo server: makes intervals of punches, and changes them when punches arrive late.
///
/// It changes only what it made. What it made is remembered durably: before an attendance is created it is noted
/// without an id, so that after a lost answer it is found at the server instead of made again.
public actor OdooSink: PunchSink {
    public static let manifest = SinkManifest(
        id: "odoo", summary: "Pairs punches to attendances at an Odoo server.")

    private let settings: OdooSettings
    private let context: SinkContext
    private let makeExchange: @Sendable () throws(SinkFault) -> any HTTPExchange
    private var server: OdooServer?
    private var employees: [String: Int] = [:]

    public nonisolated let largestBatch = 200
    private static let rememberedEmployeeCount = 10_000

    public init(settings: OdooSettings, context: SinkContext) throws(SinkFault) {
        self.settings = settings
        self.context = context
        makeExchange = { () throws(SinkFault) in
            try WebClient(settings.web, baseDirectory: context.baseDirectory)
        }
    }

    public func open() async throws(SinkFault) {
        await close()
        var server = OdooServer(settings: settings, exchange: try makeExchange())
        self.server = server
        employees = [:]
        do throws(OdooServer.Problem) {
            try await server.signIn()
        } catch {
            throw Self.fault(error)
        }
        self.server = server
    }

    public func deliver(_ batch: [JournaledPunch]) async throws(SinkFault) -> Delivery {
        guard let server else { throw SinkFault(.transient, "the server is not open") }
        var codes: [String] = []
        for journaled in batch where !codes.contains(journaled.punch.code) { codes.append(journaled.punch.code) }
        var rejected: [Delivery.Rejection] = []
        for code in codes {
            rejected += try await deliver(batch.filter { $0.punch.code == code }, of: code, to: server)
        }
        return Delivery(rejected: rejected.sorted { $0.position < $1.position })
    }

    public func close() async {
        await server?.exchange.close()
        server = nil
    }

    private func deliver(
        _ punches: [JournaledPunch], of code: String, to server: OdooServer
    ) async throws(SinkFault) -> [Delivery.Rejection] {
        let employee: Int
        switch try await self.employee(code, server) {
        case .one(let id): employee = id
        case .problem(let reason): return punches.map { .init(position: $0.position, reason: reason) }
        }
        let key = "employee/\(employee)"
        var ledger = try await ledger(key)
        var reasons: [Int64: String] = [:]
        do throws(OdooServer.Problem) { try await adoptNoted(&ledger, employee, server) } catch {
            throw Self.fault(error)
        }
        // What the server refused before is tried again with every batch, and is not the fault of its punches.
        let leftOver = Set(OdooChange.changes(from: ledger.records, to: plan(ledger).intervals).map(\.checkIn))
        for journaled in punches where !ledger.remember(OdooLedger.Punch(journaled.punch)) {
            reasons[journaled.position] = "too old: the attendances of that day are closed"
        }
        let plan = plan(ledger)
        for change in OdooChange.changes(from: ledger.records, to: plan.intervals) {
            do throws(OdooServer.Problem) {
                try await carryOut(change, &ledger, key, employee, server)
            } catch {
                guard case .refused(let sentence) = error else { throw Self.fault(error) }
                for journaled in concerned(by: change, punches, isLeftOver: leftOver.contains(change.checkIn)) {
                    reasons[journaled.position] = "refused by Odoo: \(sentence)"
                }
            }
        }
        try await save(ledger, key)
        for journaled in punches where plan.unpaired.contains(OdooLedger.Punch(journaled.punch)) {
            reasons[journaled.position] = reasons[journaled.position] ?? "an OUT without an IN on its day"
        }
        return punches.compactMap { journaled in
            reasons[journaled.position].map { .init(position: journaled.position, reason: $0) }
        }
    }

    private func plan(_ ledger: OdooLedger) -> OdooDay.Plan { OdooDay.plan(ledger.punches, settings.rule) }

    /// The punches of a batch for which a change was wanted that the server refuses: those that begin or end the
    /// attendance. A change that is new and has neither, such as an end that moves, is wanted for all of them.
    private func concerned(
        by change: OdooChange, _ punches: [JournaledPunch], isLeftOver: Bool
    ) -> [JournaledPunch] {
        let ends = punches.filter { journaled in
            let time = OdooLedger.Punch(journaled.punch).time
            return time == change.checkIn || time == change.checkOut
        }
        return ends.isEmpty && !isLeftOver ? punches : ends
    }

    // MARK: Changes

    private func carryOut(
        _ change: OdooChange, _ ledger: inout OdooLedger, _ key: String, _ employee: Int, _ server: OdooServer
    ) async throws(OdooServer.Problem) {
        switch change {
        case .delete(let checkIn):
            guard let place = ledger.place(checkIn) else { return }
            if let id = ledger.records[place].id {
                do throws(OdooServer.Problem) { try await server.delete(id) } catch {
                    guard error == .missing else { throw error }
                }
            }
            ledger.records.remove(at: place)
        case .write(let interval):
            guard let place = ledger.place(interval.checkIn), let id = ledger.records[place].id else { return }
            do throws(OdooServer.Problem) {
                try await server.write(id, checkOut: interval.checkOut)
                ledger.records[place].interval = interval
            } catch {
                guard error == .missing else { throw error }
                ledger.records[place].isGone = true
            }
        case .create(let interval):
            ledger.records.append(.init(interval: interval))
            ledger.records.sort { $0.interval.checkIn < $1.interval.checkIn }
            try await note(ledger, key)
            do throws(OdooServer.Problem) {
                let id = try await server.create(interval, employee: employee)
                if let place = ledger.place(interval.checkIn) { ledger.records[place].id = id }
            } catch {
                // A refusal made nothing. After a fault nobody knows: the note stays.
                if case .refused = error, let place = ledger.place(interval.checkIn) {
                    ledger.records.remove(at: place)
                }
                throw error
            }
        }
        try await note(ledger, key)
    }

    /// What was noted before a crash or a lost answer: made or not, the server knows.
    private func adoptNoted(
        _ ledger: inout OdooLedger, _ employee: Int, _ server: OdooServer
    ) async throws(OdooServer.Problem) {
        for record in ledger.records where record.id == nil {
            let found = try await server.attendance(employee: employee, checkIn: record.interval.checkIn)
            guard let place = ledger.place(record.interval.checkIn) else { continue }
            if let found { ledger.records[place].id = found } else { ledger.records.remove(at: place) }
        }
    }

    // MARK: Memory

    private func ledger(_ key: String) async throws(SinkFault) -> OdooLedger {
        guard let text = try await context.memory.value(key) else { return OdooLedger() }
        guard let ledger = try? JSONDecoder().decode(OdooLedger.self, from: Data(text.utf8)) else {
            throw SinkFault(.permanent, "the sink's memory of \(key) was written by another version")
        }
        return ledger
    }

    private func save(_ ledger: OdooLedger, _ key: String) async throws(SinkFault) {
        // Numbers and words always encode.
        guard let data = try? JSONEncoder().encode(ledger) else { return }
        try await context.memory.set(String(decoding: data, as: UTF8.self), for: key)
    }

    private func note(_ ledger: OdooLedger, _ key: String) async throws(OdooServer.Problem) {
        do throws(SinkFault) { try await save(ledger, key) } catch { throw .fault(error) }
    }

    // MARK: Employees

    private enum Lookup {
        case one(Int)
        case problem(String)
    }

    /// Only who was found is remembered: the others may be entered at any time.
    private func employee(_ code: String, _ server: OdooServer) async throws(SinkFault) -> Lookup {
        if let known = employees[code] { return .one(known) }
        let ids: [Int]
        do throws(OdooServer.Problem) { ids = try await server.employees(code: code) } catch { throw Self.fault(error) }
        guard let id = ids.first else {
            return .problem("unmatched at target: no active employee has \(settings.employeeField) \(code)")
        }
        guard ids.count == 1 else {
            return .problem("unmatched at target: several employees have \(settings.employeeField) \(code)")
        }
        if employees.count >= Self.rememberedEmployeeCount { employees = [:] }
        employees[code] = id
        return .one(id)
    }

    private static func fault(_ problem: OdooServer.Problem) -> SinkFault {
        switch problem {
        case .fault(let fault): fault
        case .refused(let sentence): SinkFault(.permanent, "Odoo refuses: \(sentence)")
        case .missing: SinkFault(.transient, "Odoo misses a record")
        }
    }
}

extension OdooLedger {
    /// Where the record of an attendance that begins then stands.
    fileprivate func place(_ checkIn: Int64) -> Int? { records.firstIndex { $0.interval.checkIn == checkIn } }
}
