internal import DeviceKit
internal import ZKTecoWire

/// What the terminal is besides its tables: whether it lets people in, its door, its display, who enrols at it.
struct EmulatedSite: Sendable {
    /// What DISABLEDEVICE began: nobody can punch.
    enum Closure: Sendable, Hashable {
        case open
        case disabled
        /// It lets people in again by itself at this uptime.
        case disabledUntil(Duration)
    }

    var closure = Closure.open
    /// The lock is released until this uptime.
    var unlockedUntil: Duration?
    /// What WRITE_LCD wrote, by line.
    private(set) var display: [Int: [UInt8]] = [:]
    var enrolment: EnrolmentScript?

    static let displayLines = 0..<16
    static let displayColumns = 64

    func isDisabled(at uptime: Duration) -> Bool {
        switch closure {
        case .open: false
        case .disabled: true
        case .disabledUntil(let end): uptime < end
        }
    }

    func isUnlocked(at uptime: Duration) -> Bool { unlockedUntil.map { uptime < $0 } ?? false }

    /// False for what does not fit.
    mutating func write(_ text: some Collection<UInt8>, line: Int) -> Bool {
        guard Self.displayLines.contains(line), text.count <= Self.displayColumns else { return false }
        display[line] = Array(text)
        return true
    }

    mutating func clearDisplay() { display = [:] }
}

/// Somebody puts a finger on the sensor three times: the events that the terminal sends, each after the client has
/// acknowledged the one before, or after a second for clients that do not.
struct EnrolmentScript: Sendable {
    struct Event: Sendable, Hashable {
        var flag: UInt16
        var payload: [UInt8]
    }

    let connection: Int
    let template: TemplateEntry
    let code: String
    let outcome: EnrolmentCompletion.Result
    private var events: ArraySlice<Event>
    private var sentAt: Duration
    /// An event was sent that the client has not acknowledged.
    private(set) var isAwaiting = false

    private static let patience = Duration.seconds(1)
    private static let samples = 3
    private static let good: [UInt8] = [100, 0]

    init(
        connection: Int, code: String, template: TemplateEntry, outcome: EnrolmentCompletion.Result, now: Duration
    ) {
        self.connection = connection
        self.template = template
        self.code = code
        self.outcome = outcome
        sentAt = now
        let size = UInt16(clamping: template.bytes.count)
        let isStored = outcome == .stored
        let end = EnrolmentCompletion(
            outcome, templateByteCount: isStored ? size : 0, code: code, finger: template.finger)
        var script: [Event] = []
        // A finger that is known already is noticed at the end, one that never comes at once.
        if outcome != .timedOut {
            for _ in 0..<Self.samples {
                script.append(Event(flag: EventFlag.finger, payload: []))
                script.append(Event(flag: EventFlag.fingerScore, payload: Self.good))
            }
        }
        script.append(Event(flag: EventFlag.enrollFinger, payload: end.payload))
        events = script[...]
    }

    var isFinished: Bool { events.isEmpty }

    /// The uptime at which the next event goes without an acknowledgement.
    var deadline: Duration? { events.isEmpty ? nil : sentAt + Self.patience }

    mutating func next(now: Duration) -> Event? {
        sentAt = now
        isAwaiting = true
        return events.popFirst()
    }
}
