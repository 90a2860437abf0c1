internal import DeviceKit
internal import Foundation
internal import PrometheusText

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// What the process takes of the machine, under the names that every client library of Prometheus uses.
enum ProcessFamilies {
    static func families() -> [MetricFamily] {
        var families = [
            MetricFamily("process_cpu_seconds_total", .counter, "Processor time.", processorSeconds),
            MetricFamily("process_max_fds", .gauge, "Descriptors that may be open.", descriptorLimit),
        ]
        if let seconds = startTime {
            families.append(MetricFamily("process_start_time_seconds", .gauge, "When the process began.", seconds))
        }
        if let memory {
            families += [
                MetricFamily("process_resident_memory_bytes", .gauge, "Memory in use.", memory.resident),
                MetricFamily("process_virtual_memory_bytes", .gauge, "Addresses in use.", memory.virtual),
            ]
        }
        // One of them is the listing's own.
        if let entries = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            families.append(
                MetricFamily(
                    "process_open_fds", .gauge, "Descriptors that are open.", Double(max(entries.count - 1, 0))))
        }
        return families
    }

    private static var processorSeconds: Double {
        var usage = rusage()
        #if canImport(Glibc)
            getrusage(RUSAGE_SELF.rawValue, &usage)
        #else
            getrusage(RUSAGE_SELF, &usage)
        #endif
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    private static var descriptorLimit: Double {
        var limit = rlimit()
        #if canImport(Glibc)
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #else
            getrlimit(RLIMIT_NOFILE, &limit)
        #endif
        return Double(limit.rlim_cur)
    }

    /// `/proc/self/statm`: pages, of all addresses and in memory.
    private static var memory: (virtual: Double, resident: Double)? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        let fields = text.split(separator: " ").prefix(2).compactMap { Double($0) }
        guard fields.count == 2 else { return nil }
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        return (fields[0] * page, fields[1] * page)
    }

    /// Field 22 of `/proc/self/stat` counts ticks since the boot.
    private static let startTime: Double? = {
        #if canImport(Glibc)
            guard let own = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
                // The name in field 2 may hold spaces and ends with the last parenthesis.
                let afterName = own.lastIndex(of: ")").map({ own[own.index(after: $0)...] })
            else { return nil }
            let fields = afterName.split(separator: " ")
            var (now, sinceBoot) = (timespec(), timespec())
            guard fields.count > 19, let ticks = Double(fields[19]), clock_gettime(CLOCK_REALTIME, &now) == 0,
                clock_gettime(CLOCK_BOOTTIME, &sinceBoot) == 0
            else { return nil }
            func seconds(_ time: timespec) -> Double { Double(time.tv_sec) + Double(time.tv_nsec) / 1e9 }
            return seconds(now) - seconds(sinceBoot) + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        #else
            return nil
        #endif
    }()
}
