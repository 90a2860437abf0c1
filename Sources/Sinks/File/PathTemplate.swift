internal import DeviceKit

/// A path with places for the device and the day of a punch: `audit/{device}-{date}.jsonl`.
struct PathTemplate: Sendable, Hashable {
    private enum Part: Sendable, Hashable {
        case literal(String)
        case device
        /// The day on the device's wall clock, `2026-11-24`.
        case date
    }

    /// Why a text is not a template.
    struct Problem: Error, Hashable {
        let message: String
    }

    private let parts: [Part]

    init(_ text: String) throws(Problem) {
        var parts: [Part] = []
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            if open > rest.startIndex { parts.append(.literal(String(rest[..<open]))) }
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw Problem(message: "'{' is never closed")
            }
            switch rest[rest.index(after: open)..<close] {
            case "device": parts.append(.device)
            case "date": parts.append(.date)
            case let name: throw Problem(message: "'{\(name)}' is unknown; there are {device} and {date}")
            }
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.literal(String(rest))) }
        guard text.last != "/" else { throw Problem(message: "is a directory; name a file in it") }
        self.parts = parts
    }

    /// The one path that every punch goes to; `nil` when it depends on the punch.
    var fixedPath: String? {
        var path = ""
        for part in parts {
            guard case .literal(let text) = part else { return nil }
            path += text
        }
        return path
    }

    /// Only the device's id and digits come from the punch, so no device can name a place of its own.
    func path(for punch: Punch) -> String {
        var path = ""
        for part in parts {
            switch part {
            case .literal(let text): path += text
            case .device: path += punch.device.name
            case .date: path += punch.localTime.description.prefix(10)
            }
        }
        return path
    }
}
