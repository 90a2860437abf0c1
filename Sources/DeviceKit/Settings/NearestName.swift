/// Finds what somebody meant who misspelt a name.
package enum NearestName {
    /// The candidate with the fewest typing errors to `name`, when they are few enough to be a typing error at all.
    package static func of(_ name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = normalised(name)
        guard (1...64).contains(wanted.count) else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let other = normalised(candidate)
            guard other.count <= 64 else { continue }
            let limit = max(1, max(wanted.count, other.count) / 3)
            let distance = Self.distance(wanted, other)
            if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// `did you mean 'port'?`
    package static func hint(for name: String, among candidates: some Sequence<String>) -> String? {
        of(name, among: candidates).map { "did you mean '\($0)'?" }
    }

    /// Case, hyphens and underscores are the commonest mistakes and cost nothing.
    private static func normalised(_ name: String) -> [Character] {
        name.lowercased().filter { $0 != "-" && $0 != "_" }.map { $0 }
    }

    /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (row, letter) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var cost = min(
                    last[column + 1] + 1, current[column] + 1, last[column] + (letter == other ? 0 : 1))
                if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
