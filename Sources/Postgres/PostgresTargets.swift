internal import CLibPQ

/// The hosts of a connection string, one after the other.
///
/// libpq tries them by itself, but looks after `connect_timeout` only where it blocks: a host that swallows packets would
/// keep the others from being tried.
struct PostgresTargets {
    /// For each host the keywords that choose it; for a single one none.
    let hosts: [[(keyword: String, value: String)]]
    /// For each host; `nil` where nothing limits it.
    let connectTimeout: Duration?

    init(_ connectionString: String, defaults: [(keyword: String, value: String)]) {
        let said = Self.keywords(of: connectionString)
        let fallback = defaults.last { $0.keyword == Self.timeoutKeyword }?.value
        let seconds = (said[Self.timeoutKeyword] ?? fallback).flatMap { Int64($0) } ?? 0
        // As libpq has it: less than two seconds are none, and 0 is for ever.
        connectTimeout = seconds > 0 ? .seconds(min(max(seconds, 2), 86_400)) : nil
        let lists = ["host", "hostaddr", "port"].map { keyword in
            (keyword: keyword, values: Self.list(said[keyword]))
        }
        let count = lists.map(\.values.count).max() ?? 0
        guard count > 1 else {
            hosts = [[]]
            return
        }
        hosts = (0..<count).map { index in
            lists.compactMap { list in
                // One port is for all hosts; a wrong number of them is for libpq to refuse.
                guard let value = list.values.count == 1 ? list.values.first : list.values.dropFirst(index).first else {
                    return nil
                }
                return (list.keyword, value)
            }
        }
    }

    private static let timeoutKeyword = "connect_timeout"

    private static func list(_ text: String?) -> [String] {
        text.map { $0.split(separator: ",", omittingEmptySubsequences: false).map { String($0) } } ?? []
    }

    /// What a connection string says, without libpq's own defaults; empty for one that it does not understand.
    private static func keywords(of connectionString: String) -> [String: String] {
        guard let options = PQconninfoParse(connectionString, nil) else { return [:] }
        defer { PQconninfoFree(options) }
        var result: [String: String] = [:]
        var next = options
        while let keyword = next.pointee.keyword {
            if let value = next.pointee.val { result[String(cString: keyword)] = String(cString: value) }
            next = next.advanced(by: 1)
        }
        return result
    }
}
