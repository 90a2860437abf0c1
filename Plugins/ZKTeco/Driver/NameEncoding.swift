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

    /// `nil` when the C library does not know the code page or the bytes are not of it.
    private static func convert(_ bytes: [UInt8], from codePage: String) -> String? {
        guard let converter = iconv_open("UTF-8", codePage), converter != iconv_t(bitPattern: -1) else { return nil }
        defer { iconv_close(converter) }
        var input = bytes.map { CChar(bitPattern: $0) }
        // No code page here needs more than 3 bytes of UTF-8 for one byte.
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
        return String(validating: output.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
