internal import DeviceKit
internal import Dispatch

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// What this machine knows of the way to a device, without sending anything.
enum NetworkProbe {
    /// The addresses of a host name, as texts; empty when there is none. May take as long as the system's resolver does.
    static func resolve(_ host: String) async -> [String] {
        await withCheckedContinuation { continuation in
            // Blocks: on a thread of its own kind.
            DispatchQueue.global().async { continuation.resume(returning: addresses(of: host)) }
        }
    }

    private static func addresses(of host: String) -> [String] {
        var hints = addrinfo()
        #if canImport(Glibc)
            hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [String] = []
        var next = list
        while let entry = next {
            if let text = text(of: entry.pointee.ai_addr, length: entry.pointee.ai_addrlen), !found.contains(text) {
                found.append(text)
            }
            next = entry.pointee.ai_next
        }
        return found
    }

    /// The address that this machine would send from; `nil` when there is no way.
    static func localAddress(towards address: String) -> String? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        #if canImport(Glibc)
            hints.ai_socktype = CInt(SOCK_DGRAM.rawValue)
        #else
            hints.ai_socktype = SOCK_DGRAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, "9", &hints, &list) == 0, let entry = list else { return nil }
        defer { freeaddrinfo(list) }
        let descriptor = socket(entry.pointee.ai_family, entry.pointee.ai_socktype, 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // Binds the socket; over UDP nothing is sent by it.
        guard connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 else { return nil }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                getsockname(descriptor, generic, &length) == 0 ? text(of: generic, length: length) : nil
            }
        }
    }

    private static func text(of address: UnsafePointer<sockaddr>?, length: socklen_t) -> String? {
        guard let address else { return nil }
        var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, length, &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// How it goes there, in words: `directly on eth0`, `through the gateway 192.168.1.1 on eth0`.
    static func way(to address: String) -> String? {
        guard let table = try? SystemFiles().read("/proc/net/route", limit: 1 << 20) else { return nil }
        return RouteTable(String(decoding: table, as: UTF8.self)).way(to: address)
    }
}

/// The IPv4 routes of this machine, as Linux lists them in `/proc/net/route`.
struct RouteTable: Sendable, Hashable {
    private struct Route: Sendable, Hashable {
        var interface: String
        var network: UInt32
        var mask: UInt32
        /// 0 for a network of its own.
        var gateway: UInt32
        var metric: Int
    }

    private var routes: [Route] = []

    /// Lines that cannot be read are left out.
    init(_ text: String) {
        for line in text.split(separator: "\n").dropFirst() {
            let fields = line.split(whereSeparator: \.isWhitespace)
            guard fields.count >= 8, let network = Self.number(fields[1]), let gateway = Self.number(fields[2]),
                let flags = UInt32(fields[3], radix: 16), flags & 1 != 0, let mask = Self.number(fields[7])
            else { continue }
            routes.append(
                Route(
                    interface: String(fields[0]), network: network, mask: mask, gateway: gateway,
                    metric: Int(fields[6]) ?? 0))
        }
    }

    /// Hexadecimal, the first byte of the address last.
    private static func number(_ text: Substring) -> UInt32? { UInt32(text, radix: 16).map(\.byteSwapped) }

    func way(to address: String) -> String? {
        let parts = address.split(separator: ".").compactMap { UInt8($0) }
        guard parts.count == 4 else { return nil }
        let number = parts.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let best = routes.filter { number & $0.mask == $0.network }
            .max { ($0.mask, -$0.metric) < ($1.mask, -$1.metric) }
        guard let best else { return nil }
        if best.gateway == 0 { return "directly on \(best.interface)" }
        let gateway = [24, 16, 8, 0].map { String(best.gateway >> UInt32($0) & 0xFF) }.joined(separator: ".")
        return "through the gateway \(gateway) on \(best.interface)"
    }
}
