internal import DeviceKit
internal import Journal
internal import MusterHost
public import PrometheusText

/// The metrics of a census.
///
/// Totals come from the journal: they go on after a restart, and those of one device come from one moment, so that
/// received = journaled + duplicate + rejected holds on every page.
public enum HostFamilies {
    /// What the host counts as it happens; see ``HostExtensions/metrics``.
    public static func registry() -> PrometheusRegistry {
        PrometheusRegistry(descriptions: [
            MetricName.pollDuration: .init(
                .histogram, "How long reading a device's log took, by result.",
                buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900]),
            MetricName.connections: .init(.counter, "Connections that were made to a device since the start."),
            MetricName.disconnections: .init(.counter, "Times that a device went away since the start."),
            MetricName.deadLettered: .init(.counter, "Punches that a sink refused for good since the start."),
            MetricName.sinkFailures: .init(.counter, "Times that a sink began to fail since the start."),
            MetricName.commitDuration: .init(
                .histogram, "How long a device waited until its punches were on stable storage."),
        ])
    }

    static func families(_ census: HostCensus, health: HostHealth.State, version: String) -> [MetricFamily] {
        [
            MetricFamily(
                "muster_build_info", .gauge, "The version that runs.",
                samples: [.init(1, labels: [MetricLabel("version", version)])]),
            MetricFamily(
                "muster_ready", .gauge, "Whether the host takes punches now.", health.problems.isEmpty ? 1 : 0),
        ] + punches(census) + devices(census) + sinks(census) + journal(census)
    }

    // MARK: Devices

    private static func punches(_ census: HostCensus) -> [MetricFamily] {
        func family(_ name: String, _ help: String, _ value: (DeviceCounters) -> Int) -> MetricFamily {
            devices(census, name, .counter, help) { Double(value($0.counters)) }
        }
        return [
            family("muster_punches_received_total", "Punches and records that a device sent.") { $0.received },
            family("muster_punches_journaled_total", "Punches that the journal did not have before.") { $0.journaled },
            family("muster_punches_duplicate_total", "Punches that the journal had already.") { $0.duplicates },
            family("muster_punches_rejected_total", "Records that could not be read as punches.") { $0.rejected },
        ]
    }

    private static func devices(_ census: HostCensus) -> [MetricFamily] {
        func gauge(_ name: String, _ help: String, _ value: (HostCensus.Device) -> Double?) -> MetricFamily {
            devices(census, name, .gauge, help, value)
        }
        func age(_ instant: Instant?) -> Double? { instant.map { max(0, (census.takenAt - $0).inSeconds) } }
        return [
            information(census), states(census), conditions(census),
            gauge("muster_device_enabled", "Whether the host works with the device.") { $0.device.isEnabled ? 1 : 0 },
            gauge(
                "muster_device_connected", "Whether a session is open. Devices that are only polled have none between."
            ) {
                $0.isConnected ? 1 : 0
            },
            gauge("muster_device_realtime_enabled", "Whether capture is on; 0 when it was given up.") {
                $0.status?.isRealtimeEnabled ?? true ? 1 : 0
            },
            gauge("muster_device_failures_in_a_row", "Failures since the device last served us.") {
                Double($0.status?.failuresInARow ?? 0)
            },
            gauge("muster_device_last_contact_age_seconds", "Since the device was last connected, polled or heard.") {
                age($0.lastContact)
            },
            gauge("muster_device_last_poll_age_seconds", "Since the device's log was last read to its end.") {
                age($0.status?.lastPollAt)
            },
            gauge("muster_device_last_punch_age_seconds", "Since the newest punch of the device was made.") {
                age($0.lastPunch)
            },
            gauge("muster_device_complete_through_age_seconds", "Since the time up to which its punches are complete.")
            {
                age($0.status?.completeThrough)
            },
            gauge(
                "muster_device_clock_drift_seconds",
                "How far the device's clock is ahead of the host's; negative: behind."
            ) {
                $0.status?.clockDrift?.inSeconds
            },
            gauge("muster_device_log_records", "Records in the device's own log.") {
                ($0.status?.inventory?.recordCount).map { Double($0) }
            },
            gauge("muster_device_log_capacity", "Records that the device's own log takes.") {
                ($0.status?.inventory?.recordCapacity).map { Double($0) }
            },
            gauge("muster_device_log_fill_ratio", "How full the device's own log is, 0 to 1.") { device in
                guard let inventory = device.status?.inventory, let count = inventory.recordCount,
                    let capacity = inventory.recordCapacity, capacity > 0
                else { return nil }
                return Double(count) / Double(capacity)
            },
        ]
    }

    private static func information(_ census: HostCensus) -> MetricFamily {
        MetricFamily(
            "muster_device_info", .gauge, "What is known of a device; always 1.",
            samples: census.devices.map { entry in
                let identity = entry.status?.identity
                return .init(
                    1,
                    labels: [
                        MetricLabel("device", entry.device.id.name), MetricLabel("name", entry.device.name),
                        MetricLabel("location", entry.device.location ?? ""),
                        MetricLabel("driver", entry.device.driver.manifest.id),
                        MetricLabel("serial", identity?.serialNumber ?? ""),
                        MetricLabel("model", identity?.model ?? ""), MetricLabel("firmware", identity?.firmware ?? ""),
                    ])
            })
    }

    private static func states(_ census: HostCensus) -> MetricFamily {
        MetricFamily(
            "muster_device_state", .gauge, "The state of a device's life; 1 for the one that holds.",
            samples: census.devices.map { entry in
                .init(1, labels: [MetricLabel("device", entry.device.id.name), MetricLabel("state", entry.state)])
            })
    }

    private static func conditions(_ census: HostCensus) -> MetricFamily {
        MetricFamily(
            "muster_device_condition", .gauge, "What an operator should know of a device; 1 for as long as it holds.",
            samples: census.devices.flatMap { entry in
                (entry.status?.conditions.all ?? []).map { condition in
                    .init(
                        1,
                        labels: [
                            MetricLabel("device", entry.device.id.name), MetricLabel("code", condition.code.rawValue),
                            MetricLabel("severity", condition.severity.rawValue),
                        ])
                }
            })
    }

    private static func devices(
        _ census: HostCensus, _ name: String, _ kind: MetricFamily.Kind, _ help: String,
        _ value: (HostCensus.Device) -> Double?
    ) -> MetricFamily {
        MetricFamily(
            name, kind, help,
            samples: census.devices.compactMap { entry in
                value(entry).map { .init($0, labels: [MetricLabel("device", entry.device.id.name)]) }
            })
    }

    // MARK: Sinks and journal

    private static func sinks(_ census: HostCensus) -> [MetricFamily] {
        func family(
            _ name: String, _ kind: MetricFamily.Kind, _ help: String, _ value: (HostCensus.Sink) -> Double
        ) -> MetricFamily {
            MetricFamily(
                name, kind, help,
                samples: census.sinks.map { .init(value($0), labels: [MetricLabel("sink", $0.sink.name)]) })
        }
        return [
            family("muster_sink_delivered_total", .counter, "Punches that are safe at the sink's target.") {
                Double($0.status?.deliveredCount ?? 0)
            },
            family("muster_sink_backlog", .gauge, "Punches that the sink has still to get.") { Double($0.backlog) },
            family(
                "muster_sink_lag_seconds", .gauge,
                "How long the oldest punch has waited that the sink has still to get; 0 when there is none."
            ) { sink in
                sink.oldestWaiting.map { max(0, (census.takenAt - $0).inSeconds) } ?? 0
            },
            family("muster_sink_dead_letters", .gauge, "Punches that the sink refused and nobody has decided on.") {
                Double($0.status?.deadLetterCount ?? 0)
            },
            family("muster_sink_failing", .gauge, "Whether deliveries fail now.") {
                $0.status?.failingSince == nil ? 0 : 1
            },
        ]
    }

    private static func journal(_ census: HostCensus) -> [MetricFamily] {
        let used = Double(census.journal.usedByteCount)
        let quota = census.journal.quota.map { Double($0.bytes) }
        func optional(_ name: String, _ help: String, _ value: Double?) -> MetricFamily {
            MetricFamily(name, .gauge, help, samples: value.map { [.init($0)] } ?? [])
        }
        return [
            MetricFamily("muster_journal_used_bytes", .gauge, "What the journal takes on the disk.", used),
            optional(
                "muster_journal_quota_bytes", "What the journal may take, where the configuration says so.", quota),
            optional(
                "muster_journal_fill_ratio",
                "How full the journal is, of its quota; from 0.95 on devices are not read.",
                quota.map { used / max($0, 1) }),
            MetricFamily(
                "muster_journal_waiting_commits", .gauge, "Commits that have begun and not ended.",
                Double(census.journal.waitingCommits)),
        ]
    }
}
