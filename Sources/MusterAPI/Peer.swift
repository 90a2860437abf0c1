internal import NIOCore

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Where requests come from, as far as those who share it are counted together: an IPv4 address, or a network of 64 bits
/// of IPv6, within which one machine has as many addresses as it likes.
struct Peer: Sendable, Hashable, CustomStringConvertible {
    /// 4 or 8 bytes; none where the system does not tell the address.
    private let bytes: [UInt8]

    /// - Parameter address: the 4 or 16 bytes of an address.
    init(address: [UInt8]) {
        let isMapped = address.count == 16 && address.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        // A listener for both kinds shows addresses of IPv4 in the clothes of IPv6.
        bytes = isMapped ? Array(address.suffix(4)) : Array(address.prefix(address.count == 16 ? 8 : 4))
    }

    init(_ address: SocketAddress?) { self.init(address: address?.ipAddress.map(Self.bytes) ?? []) }

    private static func bytes(_ text: String) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET6, text, &bytes) == 1 { return bytes }
        return inet_pton(AF_INET, text, &bytes) == 1 ? Array(bytes.prefix(4)) : []
    }

    var description: String {
        guard bytes.count == 8 else { return bytes.isEmpty ? "unknown" : bytes.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 8, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }
        return groups.joined(separator: ":") + "::/64"
    }
}
