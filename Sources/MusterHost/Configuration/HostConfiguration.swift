public import DeviceKit

/// Everything that a configuration says, checked and complete: defaults are filled in, names are resolved.
public struct HostConfiguration: Sendable {
    /// Holds the journal. Absolute, or relative to the working directory.
    public var dataDirectory: String
    /// Where the main file stands; relative paths of sinks start here.
    public var baseDirectory: String
    public var http: HTTP
    public var log = Log()
    /// How much of the journal is kept.
    public var journal: Journal
    /// Places where devices hang, in the order of the file.
    public var sites: [Site] = []
    /// Who is told when something is wrong.
    public var alerts = AlertConfiguration()
    /// In the order of the file.
    public var sinks: [Sink]
    /// In the order of the files.
    public var devices: [Device]
    /// The main file and the included ones, as they were read.
    public var files: [String]

    /// The HTTP interface.
    public struct HTTP: Sendable, Hashable {
        public var isEnabled: Bool
        public var listen: ListenAddress
        /// Who may ask. Empty on a loopback address only: whoever can reach it then may.
        public var tokens: [AccessToken]

        public init(isEnabled: Bool = true, listen: ListenAddress, tokens: [AccessToken] = []) {
            self.isEnabled = isEnabled
            self.listen = listen
            self.tokens = tokens
        }
    }

    /// What is logged, unless the command line says otherwise.
    public struct Log: Sendable, Hashable {
        /// `nil`: what fits where standard error goes.
        public var format: LogFormat?
        public var level: LogLevel

        public init(format: LogFormat? = nil, level: LogLevel = .info) {
            self.format = format
            self.level = level
        }
    }

    public struct Sink: Sendable {
        /// Its key under `sinks:`.
        public var name: String
        public var registration: SinkRegistration
        public var settings: SettingsValues
        /// Only these, of the devices that name the sink; `nil` for all of them.
        public var devices: Set<String>?
        /// Only punches that go these ways; `nil` for all.
        public var directions: Set<Direction.Kind>?
        /// Punches with an implausible time, too.
        public var includesInvalid = false
        /// `nil` leaves the policy to each device.
        public var directionPolicy: DirectionPolicy?
        /// The wait after the first failure; doubles up to ``retryCeiling``.
        public var retryBase: Duration = .seconds(1)
        public var retryCeiling: Duration = .seconds(300)
    }

    /// What the journal keeps.
    public struct Journal: Sendable, Hashable {
        public enum WhenFull: String, Sendable, Hashable, CaseIterable {
            /// Devices are not read until there is room.
            case wait
            /// The oldest punches go that every sink has.
            case forgetDelivered = "forget-delivered"
            /// The oldest punches go, also those that a sink has not got.
            case forgetOldest = "forget-oldest"
        }

        /// Punches that every sink has are forgotten after so long; `nil` keeps them.
        public var keep: Duration?
        public var quota: ByteCount?
        public var whenFull = WhenFull.wait

        public init(keep: Duration? = nil, quota: ByteCount? = nil, whenFull: WhenFull = .wait) {
            self.keep = keep
            self.quota = quota
            self.whenFull = whenFull
        }
    }

    /// A place whose devices share a way to the host.
    public struct Site: Sendable, Hashable {
        /// Its key under `sites:`.
        public var name: String
        /// So many logs of its devices are read at the same time, at most.
        public var concurrency: Int

        public init(name: String, concurrency: Int) {
            self.name = name
            self.concurrency = concurrency
        }
    }

    public struct Device: Sendable {
        public var id: DeviceID
        /// What people call it; the id when nothing was given.
        public var name: String
        public var location: String?
        /// Of the wall clock of the device.
        public var zone: DeviceTimeZone
        public var driver: DriverRegistration
        /// Decoded by the driver's schema and accepted by its own rules.
        public var settings: SettingsValues
        public var schedule: Schedule
        public var lifecycle: LifecycleTimers
        /// Names of ``HostConfiguration/sinks``, without repetition, in the order of the file.
        public var sinks: [String]
        public var isEnabled: Bool
        public var directionPolicy = DirectionPolicy.device
        /// How long after midnight a working day begins.
        public var dayBegins = Duration.zero
        /// The name of one of ``HostConfiguration/sites``.
        public var site: String?
        public var clock = ClockPlan()
    }

    /// When the log of a device is read, and how much of it.
    public struct Schedule: Sendable, Hashable {
        public var poll: PollSchedule
        public var window: PollWindow
        /// Punches are also received as they happen, where the driver can.
        public var isCapturing: Bool
        /// Of the hours in ``poll``; `nil` for that of the device.
        public var zone: DeviceTimeZone?

        public init(
            poll: PollSchedule, window: PollWindow = .all, isCapturing: Bool = true, zone: DeviceTimeZone? = nil
        ) {
            self.poll = poll
            self.window = window
            self.isCapturing = isCapturing
            self.zone = zone
        }
    }

    /// The devices whose punches a sink gets, in the order of the files.
    public func devices(of sink: Sink) -> [Device] {
        devices.filter { $0.sinks.contains(sink.name) && (sink.devices?.contains($0.id.name) ?? true) }
    }

    public subscript(site name: String) -> Site? { sites.first { $0.name == name } }

    public subscript(sink name: String) -> Sink? { sinks.first { $0.name == name } }

    public subscript(device id: DeviceID) -> Device? { devices.first { $0.id == id } }
}

/// Which punches of a device's log are kept.
public enum PollWindow: Sendable, Hashable, CustomStringConvertible {
    case all
    /// Since midnight of the device's wall clock.
    case today
    /// Today and the days before it, so many in all; 1 or more.
    case days(Int)

    /// Reads `all`, `today` and `7d`; 1…9,999 days.
    public init?(_ text: String) {
        switch text {
        case "all": self = .all
        case "today": self = .today
        default:
            guard text.utf8.last == 0x64, text.utf8.first.map({ (0x31...0x39).contains($0) }) == true,
                let days = Int(text.dropLast()), (1...9_999).contains(days)
            else { return nil }
            self = .days(days)
        }
    }

    public var description: String {
        switch self {
        case .all: "all"
        case .today: "today"
        case .days(let count): "\(count)d"
        }
    }
}

/// What is done about a device's clock.
public struct ClockPlan: Sendable, Hashable {
    public enum Sync: String, Sendable, Hashable, CaseIterable {
        /// It is watched and left alone.
        case never
        /// It is set when it differs by more than ``ClockPlan/maxDrift``.
        case drift
        /// It is set once a day, and when it differs by more than ``ClockPlan/maxDrift``.
        case daily
    }

    public var sync = Sync.never
    /// What it may differ from the host's clock before an operator is told.
    public var maxDrift: Duration = .seconds(30)

    public init(sync: Sync = .never, maxDrift: Duration = .seconds(30)) {
        self.sync = sync
        self.maxDrift = maxDrift
    }
}

/// The waits of a device's life. Defaults are the product's.
public struct LifecycleTimers: Sendable, Hashable {
    /// Before the first new attempt to connect; doubles with each failure.
    public var reconnectBase: Duration = .seconds(5)
    /// The longest wait before a new attempt.
    public var reconnectCeiling: Duration = .seconds(300)
    /// Between attempts once the device has refused the credentials.
    public var blockedRetry: Duration = .seconds(900)
    /// Failures in a row until the operator is alerted, once.
    public var alertAfter = 5
    /// Without a connection for so long, capture is suspended.
    public var suspendAfter: Duration = .seconds(86_400)
    /// A link that lasted so long lets the waits before new attempts begin anew.
    public var stableAfter: Duration = .seconds(60)
    /// What opening a connection may take, with authentication and identification.
    public var openTimeout: Duration = .seconds(120)
    /// A link that was silent for so long is asked whether it still lives.
    public var keepAliveIdle: Duration = .seconds(60)
    /// What a device may take to say that it lives. After that the connection is taken for dead.
    public var keepAliveTimeout: Duration = .seconds(15)
    /// How often identity and status of a connected device are read anew.
    public var identityRefresh: Duration = .seconds(300)
    /// How often a device is looked at that is held because another one answers at its address.
    public var heldRetry: Duration = .seconds(300)
    /// A failed poll is tried again after each of these, then waits for the schedule.
    public var pollRetries: [Duration] = [.seconds(300), .seconds(600), .seconds(1_200)]

    public init() {}
}

/// `127.0.0.1:8080`, `[::1]:8080`.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    public let host: String
    public let port: UInt16

    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return nil
        }
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        let bare = isBracketed ? String(host.dropFirst().dropLast()) : String(host)
        guard !bare.isEmpty, isBracketed || !bare.contains(":"), !bare.contains(where: \.isWhitespace) else {
            return nil
        }
        self.host = bare
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Only this machine can reach it.
    public var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil } && parts[0] == "127"
    }
}

/// A client of the HTTP interface. The token itself is not kept, only its digest.
public struct AccessToken: Sendable, Hashable {
    /// What it may do; each role may do what the ones before it may.
    public enum Role: String, Sendable, Hashable, CaseIterable, Comparable {
        /// Reads.
        case viewer
        /// Also starts work, such as polls.
        case `operator`
        /// Also changes the configuration.
        case admin

        public static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }

        private var rank: Int {
            switch self {
            case .viewer: 0
            case .operator: 1
            case .admin: 2
            }
        }
    }

    /// For logs and for people.
    public var name: String
    public var role: Role
    /// SHA-256 of the token, 32 bytes.
    public var digest: [UInt8]

    public init(name: String, role: Role, digest: [UInt8]) {
        self.name = name
        self.role = role
        self.digest = digest
    }
}

public enum LogFormat: String, Sendable, Hashable, CaseIterable {
    /// Lines for people.
    case text
    /// One JSON object a line.
    case json
    /// For systemd's journal, which has times of its own: the level as a prefix that it understands.
    case journal
}

public enum LogLevel: String, Sendable, Hashable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}
