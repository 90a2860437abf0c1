internal import DeviceKit
internal import Foundation
internal import Web

/// The calls to an Odoo server that the sink makes, over JSON-2 or JSON-RPC.
struct OdooServer: Sendable {
    let settings: OdooSettings
    let exchange: any HTTPExchange
    /// The number of the user; JSON-RPC names it in every call.
    private var user = 0

    init(settings: OdooSettings, exchange: any HTTPExchange) {
        self.settings = settings
        self.exchange = exchange
    }

    /// Why a call failed.
    enum Problem: Error, Sendable, Hashable {
        /// A rule of the server: an overlap, for example.
        case refused(String)
        /// Somebody deleted the record.
        case missing
        /// The call may work later, or with other settings.
        case fault(SinkFault)
    }

    /// - Throws: when the server cannot be reached or does not know the key.
    mutating func signIn() async throws(Problem) {
        if settings.api == .jsonrpc {
            let answer = try await remote(
                service: "common", method: "authenticate",
                arguments: [
                    .string(settings.database ?? ""), .string(settings.login ?? ""),
                    .string(settings.apiKey.reveal()), .object([:]),
                ])
            guard let number = try? JSONDecoder().decode(RemoteAnswer<Int>.self, from: answer).result else {
                throw .fault(
                    SinkFault(.permanent, "\(settings.url) refuses the user: look at database, login and api_key"))
            }
            user = number
        }
        let _: [Identified] = try await call(
            "hr.attendance", "search_read", ["domain": .array([]), "fields": .strings(["id"]), "limit": .integer(1)])
    }

    /// The ids of the active employees with an id of the terminals; normally one.
    func employees(code: String) async throws(Problem) -> [Int] {
        let found: [Identified] = try await call(
            "hr.employee", "search_read",
            [
                "domain": .array([.strings([settings.employeeField, "=", code])]), "fields": .strings(["id"]),
                "limit": .integer(2),
            ])
        return found.map(\.id)
    }

    /// The attendance of an employee that begins at a moment.
    func attendance(employee: Int, checkIn: Int64) async throws(Problem) -> Int? {
        let found: [Identified] = try await call(
            "hr.attendance", "search_read",
            [
                "domain": .array([
                    .array([.string("employee_id"), .string("="), .integer(employee)]),
                    .strings(["check_in", "=", Self.text(checkIn)]),
                ]), "fields": .strings(["id"]), "limit": .integer(1),
            ])
        return found.first?.id
    }

    func create(_ interval: OdooDay.Interval, employee: Int) async throws(Problem) -> Int {
        let record = JSONNode.object([
            "employee_id": .integer(employee), "check_in": .string(Self.text(interval.checkIn)),
            "check_out": interval.checkOut.map { .string(Self.text($0)) },
        ])
        let ids: [Int] = try await call("hr.attendance", "create", ["vals_list": .array([record])])
        guard let id = ids.first else { throw unexpected(Data()) }
        return id
    }

    func write(_ id: Int, checkOut: Int64?) async throws(Problem) {
        let checkOut = checkOut.map { JSONNode.string(Self.text($0)) } ?? .bool(false)
        let _: Bool = try await call(
            "hr.attendance", "write", ids: [id], ["vals": .object(["check_out": checkOut])])
    }

    func delete(_ id: Int) async throws(Problem) {
        let _: Bool = try await call("hr.attendance", "unlink", ids: [id], [:])
    }

    /// Odoo's times are of UTC and name no zone.
    static func text(_ seconds: Int64) -> String {
        DeviceTimeZone.utc.localTime(at: Instant(secondsSince1970: seconds)).description
    }

    // MARK: Calls

    private struct Identified: Decodable { let id: Int }

    /// - Parameter arguments: by name; in this order they are the positional arguments of JSON-RPC.
    private func call<Value: Decodable>(
        _ model: String, _ method: String, ids: [Int]? = nil, _ arguments: KeyValuePairs<String, JSONNode?>
    ) async throws(Problem) -> Value {
        let ids = ids.map { JSONNode.array($0.map { .integer($0) }) }
        switch settings.api {
        case .json2:
            let body = JSONNode.object(arguments).adding("ids", ids)
            let data = try await post("json/2/\(model)/\(method)", body, headers: modernHeaders)
            guard let value = try? JSONDecoder().decode(Value.self, from: data) else { throw unexpected(data) }
            return value
        case .jsonrpc:
            // search_read takes its arguments by name, the others take one by position, after the ids.
            let isNamed = method == "search_read"
            let positional = (ids.map { [$0] } ?? []) + (isNamed ? [] : arguments.compactMap(\.value))
            let data = try await remote(
                service: "object", method: "execute_kw",
                arguments: [
                    .string(settings.database ?? ""), .integer(user), .string(settings.apiKey.reveal()),
                    .string(model), .string(method), .array(positional),
                    isNamed ? .object(arguments) : .object([:]),
                ])
            guard let answer = try? JSONDecoder().decode(RemoteAnswer<Value>.self, from: data) else {
                throw unexpected(data)
            }
            return answer.result
        }
    }

    private var modernHeaders: [WebRequest.Header] {
        var headers = [WebRequest.Header("Authorization", "bearer \(settings.apiKey.reveal())")]
        if let database = settings.database { headers.append(.init("X-Odoo-Database", database)) }
        return headers
    }

    private struct RemoteAnswer<Value: Decodable>: Decodable { let result: Value }

    private func remote(service: String, method: String, arguments: [JSONNode]) async throws(Problem) -> Data {
        struct Failure: Decodable {
            struct Detail: Decodable {
                struct Data: Decodable {
                    let name: String?
                    let message: String?
                }
                let message: String?
                let data: Data?
            }
            let error: Detail
        }
        let body = JSONNode.object([
            "jsonrpc": .string("2.0"), "method": .string("call"), "id": .integer(1),
            "params": .object([
                "service": .string(service), "method": .string(method), "args": .array(arguments),
            ]),
        ])
        let data = try await post("jsonrpc", body, headers: [])
        guard let failure = try? JSONDecoder().decode(Failure.self, from: data) else { return data }
        let detail = failure.error
        throw problem(
            named: detail.data?.name ?? "", detail.data?.message ?? detail.message ?? "no reason given", status: nil)
    }

    private func post(
        _ path: String, _ body: JSONNode, headers: [WebRequest.Header]
    ) async throws(Problem) -> Data {
        let request = WebRequest(
            method: .post, url: "\(settings.url)/\(path)",
            headers: headers + [.init("Content-Type", "application/json")], body: Array(body.text().utf8))
        let response: WebResponse
        do throws(SinkFault) { response = try await exchange.perform(request) } catch { throw .fault(error) }
        guard !response.isSuccess else { return Data(response.body) }
        struct Failure: Decodable {
            let name: String
            let message: String?
        }
        guard let failure = try? JSONDecoder().decode(Failure.self, from: Data(response.body)) else {
            throw .fault(WebFaults.fault(response, settings.url))
        }
        throw problem(named: failure.name, failure.message ?? "no reason given", status: response)
    }

    /// By the name of the exception: the sentences are translated.
    private func problem(named name: String, _ message: String, status response: WebResponse?) -> Problem {
        let sentence = String(message.prefix(300)).replacing("\n", with: " ")
        switch name.split(separator: ".").last ?? "" {
        case "ValidationError", "UserError", "IntegrityError", "CheckViolation": return .refused(sentence)
        case "MissingError": return .missing
        case "AccessError", "AccessDenied", "Unauthorized", "Forbidden", "NotFound":
            return .fault(
                SinkFault(
                    .permanent,
                    "\(settings.url) refuses: \(sentence): look at url, database, api_key (keys expire) and the user's rights"
                ))
        default:
            guard let response else { return .fault(SinkFault(.transient, "\(settings.url) fails: \(sentence)")) }
            return .fault(WebFaults.fault(response, settings.url))
        }
    }

    private func unexpected(_ data: Data) -> Problem {
        let text = String(decoding: data.prefix(120), as: UTF8.self)
        return .fault(
            SinkFault(.permanent, "\(settings.url) does not answer as Odoo does: look at url and api: \(text)"))
    }
}
