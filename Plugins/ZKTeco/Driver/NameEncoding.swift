#if canImport(Glibc)
    private import Glibc
#else
    private import Darwin
#endif

/// The code page of people's names. Terminals do not say which one they use.
public enum NameEncoding: String, Sendable, Hashable, CaseIterable {
    /// UTF-8 where it is valid, else GBK.
    case auto
    case utf8 = "utf-8"
    /// Firmware for the Chinese market.
    case gbk
    /// Cyrillic.
    case windows1251 = "windows-1251"
    /// Western European.
    case windows1252 = "windows-1252"
    /// Arabic.
    case windows1256 = "windows-1256"

    /// The name as text. What the code page does not have becomes U+FFFD; nothing fails.
    func decode(_ bytes: [UInt8]) -> String {
        switch self {
        case .auto:
            if let text = String(validating: bytes, as: UTF8.self) { return text }
            return Self.convert(bytes, from: "GBK") ?? String(decoding: bytes, as: UTF8.self)
        case .utf8: return String(decoding: bytes, as: UTF8.self)
        case .gbk: return Self.convert(bytes, from: "GBK") ?? String(decoding: bytes, as: UTF8.self)
        case .windows1251, .windows1252, .windows1256:
            return Self.convert(bytes, from: "CP" + rawValue.suffix(4)) ?? String(decoding: bytes, as: UTF8.self)
        }
    }

    /// The text in the code page; `nil` for characters that it does not have. `auto` writes UTF-8.
    func encode(_ text: String) -> [UInt8]? {
        switch self {
        case .auto, .utf8: Array(text.utf8)
        case .gbk: Self.convert(Array(text.utf8), from: "UTF-8", to: "GBK")
        case .windows1251, .windows1252, .windows1256:
            Self.convert(Array(text.utf8), from: "UTF-8", to: "CP" + rawValue.suffix(4))
        }
    }

    /// `nil` when the C library does not know the code page or the bytes are not of it.
    private static func convert(_ bytes: [UInt8], from codePage: String) -> String? {
        convert(bytes, from: codePage, to: "UTF-8").flatMap { String(validating: $0, as: UTF8.self) }
    }

    private static func convert(_ bytes: [UInt8], from source: String, to target: String) -> [UInt8]? {
        guard let converter = iconv_open(target, source), converter != iconv_t(bitPattern: -1) else { return nil }
        defer { iconv_close(converter) }
        var input = bytes.map { CChar(bitPattern: $0) }
        // No code page here needs more than 3 bytes of UTF-8 for one byte, and none more than UTF-8 does.
        var output = [CChar](repeating: 0, count: bytes.count * 3 + 4)
        var inputLeft = input.count
        var outputLeft = output.count
        let result = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                var from = source.baseAddress
                var to = target.baseAddress
                return iconv(converter, &from, &inputLeft, &to, &outputLeft)
            }
        }
        guard result != -1, inputLeft == 0 else { return nil }
        let count = output.count - outputLeft
        return output.prefix(count).map { UInt8(bitPattern: $0) }
    }
}
