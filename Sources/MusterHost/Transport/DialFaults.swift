internal import DeviceKit
internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Why a link could not be opened, in an operator's words.
enum DialFaults {
    static func fault(_ error: any Error, endpoint: Endpoint, timeout: Duration) -> DeviceFault {
        switch error {
        case is CancellationError: return .cancelled
        case let error as NIOConnectionError: return fault(error, endpoint: endpoint, timeout: timeout)
        case ChannelError.connectTimeout: return timedOut(endpoint, timeout)
        case let error as IOError: return fault(errno: error.errnoCode, endpoint: endpoint, timeout: timeout)
        default: return DeviceFault(.unreachable, "\(endpoint): \(error)")
        }
    }

    private static func fault(_ error: NIOConnectionError, endpoint: Endpoint, timeout: Duration) -> DeviceFault {
        if let failure = error.connectionErrors.first {
            return fault(failure.error, endpoint: endpoint, timeout: timeout)
        }
        return DeviceFault(.unreachable, "\(endpoint): the name \(endpoint.host) has no address: check address and DNS")
    }

    private static func fault(errno: CInt, endpoint: Endpoint, timeout: Duration) -> DeviceFault {
        switch errno {
        case ECONNREFUSED:
            DeviceFault(
                .refused, "\(endpoint) refuses connections: check the port, and that the terminal's protocol is on")
        case ETIMEDOUT: timedOut(endpoint, timeout)
        case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN:
            DeviceFault(.unreachable, "\(endpoint): there is no route to it: check address, cable and network")
        case EMFILE, ENFILE:
            DeviceFault(.unreachable, "\(endpoint): the host has no descriptors left: raise LimitNOFILE or ulimit -n")
        default:
            DeviceFault(.unreachable, "\(endpoint): \(String(cString: strerror(errno)))")
        }
    }

    private static func timedOut(_ endpoint: Endpoint, _ timeout: Duration) -> DeviceFault {
        DeviceFault(
            .timedOut,
            "\(endpoint) did not answer within \(timeout): check that it is switched on and reachable, and that no other system holds it"
        )
    }
}
