internal import DeviceKit
internal import Foundation
internal import Web

/// The calls to a Frappe site that the sink makes.
struct FrappeSite: Sendable {
    let settings: FrappeSettings
    let exchange: any HTTPExchange

    /// A punch as the site is told of it.
    struct Checkin: Sendable, Hashable {
        let code: String
        /// In the site's zone, `2024-05-08 10:48:08`.
        let time: String
        /// `IN`, `OUT`, or `nil` where the terminal does not say.
        let logType: String?
        let device: String

        init(_ punch: Punch, zone: DeviceTimeZone) {
            code = punch.code
            time = zone.localTime(at: punch.time).description
            device = punch.device.name
            logType =
                switch punch.record.direction.kind {
                case .in, .breakIn, .overtimeIn: "IN"
                case .out, .breakOut, .overtimeOut: "OUT"
                case .unknown: nil
                }
        }
    }

    enum Answer: Sendable, Hashable {
        /// The site has it, with the time that it stored.
        case taken(name: String, time: String?)
        /// The site refuses it.
        case refused(Refusal)
    }

    struct Refusal: Sendable, Hashable {
        /// The name of the exception, which is not translated, unlike the sentence.
        let exception: String
        let sentence: String
    }

    /// An Employee Checkin that stands at the site.
    struct Existing: Sendable, Hashable, Decodable {
        let name: String
        let logType: String?
        let device: String?

        private enum CodingKeys: String, CodingKey {
            case name
            case logType = "log_type"
            case device = "device_id"
        }
    }

    /// - Throws: when the site cannot be reached or does not know the key.
    func checkCredentials() async throws(SinkFault) {
        let response = try await call(.get, "method/frappe.auth.get_logged_user")
        guard response.isSuccess else { throw fault(response) }
    }

    /// The names of the employees who have an id; normally one.
    func employees(code: String) async throws(SinkFault) -> [String] {
        struct Employee: Decodable { let name: String }
        let found: [Employee] = try await list(
            "Employee", filters: [[settings.employeeField, "=", code]], fields: ["name"], limit: 2)
        return found.map(\.name)
    }

    /// What the site has of an employee at a moment.
    func checkins(employee: String, time: String) async throws(SinkFault) -> [Existing] {
        try await list(
            "Employee Checkin", filters: [["employee", "=", employee], ["time", "=", time]],
            fields: ["name", "log_type", "device_id"], limit: 20)
    }

    func add(_ checkin: Checkin) async throws(SinkFault) -> Answer {
        let body = JSONNode.object([
            "employee_field_value": .string(checkin.code), "timestamp": .string(checkin.time),
            "device_id": .string(checkin.device), "log_type": checkin.logType.map { .string($0) },
            "employee_fieldname": .string(settings.employeeField),
            "skip_auto_attendance": settings.skipsAutoAttendance ? .integer(1) : nil,
            "latitude": settings.coordinates.map { .number($0.latitude) },
            "longitude": settings.coordinates.map { .number($0.longitude) },
        ])
        let response = try await call(
            .post,
            "method/\(settings.app.rawValue).hr.doctype.employee_checkin.employee_checkin.add_log_based_on_employee_field",
            body: body)
        struct Success: Decodable {
            struct Document: Decodable {
                let name: String
                let time: String?
            }
            let message: Document
        }
        if response.isSuccess {
            guard let document = decode(Success.self, response)?.message else {
                throw SinkFault(
                    .permanent, "\(settings.url) does not answer as Frappe does: look at url: \(response.excerpt)")
            }
            return .taken(name: document.name, time: document.time)
        }
        // 417 is Frappe's answer to everything that a validation refuses; 409 is a name that exists already.
        guard response.status == 417 || response.status == 409 else { throw fault(response) }
        return .refused(refusal(response))
    }

    func delete(checkin name: String) async throws(SinkFault) {
        let response = try await call(.delete, "resource/\(Self.escaped("Employee Checkin"))/\(Self.escaped(name))")
        guard response.isSuccess || response.status == 404 else { throw fault(response) }
    }

    // MARK: Requests

    private func list<Element: Decodable>(
        _ type: String, filters: [[String]], fields: [String], limit: Int
    ) async throws(SinkFault) -> [Element] {
        let filters = JSONNode.array(filters.map { .strings($0) }).text()
        let query =
            "filters=\(Self.escaped(filters))&fields=\(Self.escaped(JSONNode.strings(fields).text()))"
            + "&limit_page_length=\(limit)"
        let response = try await call(.get, "resource/\(Self.escaped(type))?\(query)")
        guard response.isSuccess else { throw fault(response) }
        guard let list = decode(FrappeList<Element>.self, response) else {
            throw SinkFault(
                .permanent, "\(settings.url) does not answer as Frappe does: look at url: \(response.excerpt)")
        }
        return list.data
    }

    private func call(
        _ method: WebRequest.Method, _ path: String, body: JSONNode? = nil
    ) async throws(SinkFault) -> WebResponse {
        var request = WebRequest(method: method, url: "\(settings.url)/api/\(path)")
        request.headers = [
            .init("Authorization", "token \(settings.apiKey):\(settings.apiSecret.reveal())"),
            .init("Accept", "application/json"),
        ]
        if let body {
            request.headers.append(.init("Content-Type", "application/json"))
            request.body = Array(body.text().utf8)
        }
        return try await exchange.perform(request)
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ response: WebResponse) -> Value? {
        try? JSONDecoder().decode(type, from: Data(response.body))
    }

    /// The sentences of `_server_messages`, a JSON text of a list of JSON texts, without their HTML.
    private func refusal(_ response: WebResponse) -> Refusal {
        struct Body: Decodable {
            let type: String?
            let exception: String?
            let messages: String?

            private enum CodingKeys: String, CodingKey {
                case type = "exc_type"
                case exception
                case messages = "_server_messages"
            }
        }
        struct Message: Decodable { let message: String }
        let body = decode(Body.self, response)
        let texts =
            body?.messages
            .flatMap { try? JSONDecoder().decode([String].self, from: Data($0.utf8)) } ?? []
        let sentences = texts.map { text in
            (try? JSONDecoder().decode(Message.self, from: Data(text.utf8)))?.message ?? text
        }
        let sentence = sentences.isEmpty ? body?.exception ?? response.excerpt : sentences.joined(separator: " ")
        return Refusal(exception: body?.type ?? "", sentence: String(Self.plain(sentence).prefix(300)))
    }

    private func fault(_ response: WebResponse) -> SinkFault {
        if response.status == 404 {
            return SinkFault(
                .permanent,
                "\(settings.url) has no app \(settings.app.rawValue): look at url, and set app: to hrms or erpnext")
        }
        return WebFaults.fault(response, settings.url)
    }

    private static func plain(_ html: String) -> String { html.replacing(/<[^>]*>/, with: "") }

    private static func escaped(_ text: String) -> String {
        let allowed = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    }
}

private struct FrappeList<Element: Decodable>: Decodable {
    let data: [Element]
}
