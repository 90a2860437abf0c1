/// An amount of data as people write it: `512KB`, `10MB`, `2GiB`.
public struct ByteCount: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// 0 or more.
    public let bytes: Int

    /// - Parameter bytes: a negative amount counts as 0.
    public init(_ bytes: Int) { self.bytes = max(bytes, 0) }

    public static func megabytes(_ count: Int) -> ByteCount { ByteCount(count * 1_000_000) }

    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1),
    ]

    /// Digits and a unit: B, KB, MB, GB, TB in thousands, KiB, MiB, GiB, TiB in 1,024s.
    public init?(_ text: String) {
        let unit = Self.units.first { text.hasSuffix($0.name) }
        guard let unit, let number = DecimalText.integer(text.dropLast(unit.name.count)), number >= 0 else {
            return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        guard !overflow else { return nil }
        self.bytes = bytes
    }

    /// In the largest unit that leaves no remainder.
    public var description: String {
        let unit = bytes == 0 ? nil : Self.units.first { bytes.isMultiple(of: $0.bytes) }
        return unit.map { "\(bytes / $0.bytes)\($0.name)" } ?? "\(bytes)B"
    }

    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
}

extension SettingType where Value == ByteCount {
    /// An amount of data with its unit.
    public static func byteCount(in range: ClosedRange<ByteCount>) -> SettingType<ByteCount> {
        let bounds = "\(range.lowerBound)…\(range.upperBound)"
        return SettingType(
            name: "amount of data \(bounds)",
            schema: .object(["type": "string", "pattern": .pattern("[0-9]+(?:[KMGT]i?)?B")]),
            write: { .string($0.description) },
            read: { node throws(ConfigurationError) in
                let text = try node.scalar("an amount of data").text
                guard let amount = ByteCount(text) else {
                    throw node.error(
                        "'\(text.shortened)' is not an amount of data", code: "wrong-form",
                        hint: DecimalText.isDigits(text)
                            ? "write \(text.shortened)MB for megabytes" : "write it as 512KB, 10MB or 2GiB")
                }
                guard range.contains(amount) else {
                    throw node.error("\(text) is outside \(bounds)", code: "out-of-range")
                }
                return amount
            })
    }
}

extension Setting where Value == ByteCount {
    /// An amount of data with its unit: `10MB`, `2GiB`.
    public static func byteCount(
        _ key: String, default fallback: ByteCount? = nil, in range: ClosedRange<ByteCount>, _ summary: String,
        example: String? = nil
    ) -> Setting<ByteCount> {
        Setting(key, .byteCount(in: range), default: fallback, summary, example: example)
    }
}
