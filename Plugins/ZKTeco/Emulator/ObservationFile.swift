public import DeviceKit
private import Foundation
internal import Synchronization

/// What happened at an emulated terminal, and when, as JSON lines in a file: for measuring.
public final class ObservationFile: Sendable {
    private let handle: Mutex<FileHandle>
    private let time: any TimeSource
    private let start: (wall: Instant, uptime: Duration)

    /// - Throws: ``EmulatorError`` when the file cannot be made.
    public init(_ path: String, time: any TimeSource = SystemTime()) throws(EmulatorError) {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw EmulatorError("cannot make the file \(path)") }
        self.handle = Mutex(handle)
        self.time = time
        start = (time.now(), time.uptime())
    }

    /// Writes a line: `{"at":…,"event":"recorded","code":"7","local_time":"…"}`, `{"at":…,"event":"sent"}`,
    /// `{"at":…,"event":"acknowledged"}`, `{"at":…,"event":"fault-began","fault":"split 7"}` and the like, with microseconds
    /// since 1970. Requests are left out.
    public func observe(_ observation: EmulatorObservation) {
        var line = JSONObjectWriter()
        line.member("at", now)
        switch observation {
        case .recorded(let record):
            line.member("event", "recorded")
            line.member("code", record.code)
            line.member("local_time", record.localTime.description)
        case .eventSent: line.member("event", "sent")
        case .eventAcknowledged: line.member("event", "acknowledged")
        case .logCleared: line.member("event", "cleared")
        case .recordsOverwritten(let count):
            line.member("event", "overwritten")
            line.member("records", count)
        case .faultBegan(let fault):
            line.member("event", "fault-began")
            line.member("fault", fault.description)
        case .faultEnded(let fault):
            line.member("event", "fault-ended")
            line.member("fault", fault.description)
        case .switchedOn: line.member("event", "switched-on")
        case .connectionRefused: line.member("event", "connection-refused")
        case .frameDamaged: line.member("event", "frame-damaged")
        case .connected: line.member("event", "connected")
        default: return
        }
        let bytes = Data((line.finish().text + "\n").utf8)
        // A line that cannot be written is missing in the measurement, which then says so.
        handle.withLock { try? $0.write(contentsOf: bytes) }
    }

    /// The wall clock has milliseconds; the rest comes from the monotonic clock.
    private var now: Int64 {
        let elapsed = (time.uptime() - start.uptime).components
        return start.wall.millisecondsSince1970 * 1_000 + elapsed.seconds * 1_000_000
            + elapsed.attoseconds / 1_000_000_000_000
    }
}
