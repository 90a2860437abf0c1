internal import DeviceKit
internal import ZKTecoWire

/// Which requests may be sent again when no answer comes over UDP.
enum Repetition {
    /// Requests that do the same when they are done twice. A request that is not here is sent once: a person who is
    /// written twice, a door that opens twice or a piece of an upload that arrives twice is worse than an error.
    static func isHarmless(_ code: UInt16) -> Bool {
        switch code {
        case Command.connect, Command.authenticate, Command.exit, Command.enableDevice, Command.disableDevice,
            Command.optionRead, Command.startVerify,
            Command.firmwareVersion, Command.counters, Command.timeRead, Command.stateRead, Command.doorState,
            Command.pinWidth, Command.registerEvents, Command.cancelCapture, Command.refreshData,
            Command.refreshOption, Command.prepareBuffer, Command.readBuffer, Command.freeData, Command.logRead,
            Command.usersRead, Command.templatesRead, Command.operationLogRead, Command.userTemplateRead:
            true
        default: false
        }
    }

    /// Requests that make the terminal collect a set first. Asking again too early makes it collect a second time.
    static func isSlow(_ code: UInt16) -> Bool {
        switch code {
        case Command.prepareBuffer, Command.logRead, Command.usersRead, Command.templatesRead,
            Command.operationLogRead:
            true
        default: false
        }
    }

    /// How long a slow request is left alone.
    static let slowPatience = Duration.seconds(2)
    /// No pause between two repetitions is longer.
    static let longestPatience = Duration.seconds(8)
}

/// How long answers take over a link, learned from those that came, and from it how long to wait before a datagram counts
/// as lost (the estimate of TCP, RFC 6298).
struct RoundTripEstimate: Sendable, Hashable {
    private var smoothed: Duration?
    private var variation = Duration.zero

    /// Before the first answer.
    static let initialPatience = Duration.seconds(1)
    /// A terminal may be busy with a finger for a moment.
    static let shortestPatience = Duration.milliseconds(100)

    /// - Parameter time: between a request that was sent once and its answer. One that was sent again tells nothing: the
    ///   answer may belong to either.
    mutating func measured(_ time: Duration) {
        guard let old = smoothed else {
            smoothed = time
            variation = time / 2
            return
        }
        let difference = time > old ? time - old : old - time
        variation = variation * 3 / 4 + difference / 4
        smoothed = old * 7 / 8 + time / 8
    }

    var patience: Duration {
        guard let smoothed else { return Self.initialPatience }
        return min(max(smoothed + variation * 4, Self.shortestPatience), Repetition.longestPatience)
    }
}

/// Which live events are acknowledged over UDP, where the terminal may send one twice and an acknowledgement says not what
/// it is for.
///
/// A copy that comes soon after the acknowledgement of its original was on its way already. A second acknowledgement
/// would then count for the next event, which the terminal would not repeat. A copy that comes later says that the
/// acknowledgement was lost.
struct EventAcknowledgement: Sendable {
    private var recent: [(event: Packet, at: Duration)] = []

    private static let capacity = 64

    /// How many acknowledgements to send for these events.
    /// - Parameter patience: how long a copy may be under way.
    mutating func due(_ events: [Packet], now: Duration, patience: Duration) -> Int {
        recent.removeAll { now - $0.at >= patience }
        var count = 0
        for event in events where !recent.contains(where: { $0.event == event }) {
            count += 1
            recent.append((event, now))
        }
        if recent.count > Self.capacity { recent.removeFirst(recent.count - Self.capacity) }
        return count
    }
}
