internal import DeviceKit

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A descriptor that lines go to, one batch at a time.
struct StandardOutput: Sendable {
    let descriptor: Int32

    init(descriptor: Int32 = STDOUT_FILENO) { self.descriptor = descriptor }

    /// Writes all of `bytes`. Waits for a slow reader, also when the descriptor does not block.
    func write(_ bytes: [UInt8]) throws(SinkFault) {
        var offset = 0
        while offset < bytes.count {
            let rest = bytes[offset...]
            #if canImport(Glibc)
                let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            #else
                let written = rest.withUnsafeBytes { Darwin.write(descriptor, $0.baseAddress, $0.count) }
            #endif
            if written >= 0 {
                offset += written
            } else if errno == EAGAIN {
                try waitForRoom()
            } else if errno != EINTR {
                throw SystemCalls.fault("write to", "the standard output")
            }
        }
    }

    private func waitForRoom() throws(SinkFault) {
        var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&poller, 1, Self.patienceMilliseconds) > 0 || errno == EINTR else {
            throw SinkFault(.transient, "nobody reads the standard output")
        }
    }

    private static let patienceMilliseconds: Int32 = 30_000
}
