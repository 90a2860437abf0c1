#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// How many files and sockets the process may hold.
public enum DescriptorLimit {
    /// Raises the soft limit to the hard one: many shells give 1,024, and a fleet needs one for each device.
    public static func raise() {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
    }
}
