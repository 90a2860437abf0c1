internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Tells systemd how the service is: the protocol of `sd_notify`, one datagram for each message.
///
/// Started by anything else, there is nobody to tell, and nothing happens.
public struct ServiceManager: Sendable {
    private let address: String?
    /// How long systemd waits for a sign of life before it ends the service; `nil` when it does not watch.
    public let watchdogLimit: Duration?

    /// - Parameter environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, as systemd sets them.
    public init(environment: [String: String], process: Int32) {
        // Sockets of virtual machines (vsock:…) are not for us.
        address = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
        let isOurs = environment["WATCHDOG_PID"].map { Int32($0) == process } ?? true
        let limit = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        watchdogLimit = address != nil && isOurs && limit > 0 ? .microseconds(limit) : nil
    }

    /// What systemd told this process.
    public init() {
        self.init(
            environment: ProcessInfo.processInfo.environment, process: ProcessInfo.processInfo.processIdentifier)
    }

    public var isListening: Bool { address != nil }

    /// The host works.
    public func ready() { send(["READY=1"]) }

    /// The host takes a new configuration; ``ready()`` follows when it is done.
    public func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send(["RELOADING=1", "MONOTONIC_USEC=\(Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000)"])
    }

    public func stopping() { send(["STOPPING=1"]) }

    /// A sign of life.
    public func alive() { send(["WATCHDOG=1"]) }

    /// One line for `systemctl status`.
    public func status(_ text: String) { send(["STATUS=\(text.replacing("\n", with: " "))"]) }

    /// A message that is lost costs a line in `systemctl status` or, for signs of life, a restart: both heal.
    private func send(_ lines: [String]) {
        guard let address else { return }
        let datagram = Int32(SOCK_DGRAM.rawValue)
        let descriptor = socket(AF_UNIX, datagram, 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // Never wait for the service manager.
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let path = Array(address.utf8)
        guard path.count < MemoryLayout.size(ofValue: name.sun_path) else { return }
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path) }
        // An abstract name begins with a zero byte and ends with its length.
        let isAbstract = path.first == 0x40
        if isAbstract { withUnsafeMutableBytes(of: &name.sun_path) { $0[0] = 0 } }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \sockaddr_un.sun_path) ?? MemoryLayout<sa_family_t>.size
        let length = socklen_t(offset + path.count + (isAbstract ? 0 : 1))
        let bytes = Array(lines.joined(separator: "\n").utf8)
        withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), address, length)
            }
        }
    }
}
