/// A device whose log can be cleared, once everything in it is on stable storage elsewhere. Off unless the device's
/// settings allow it.
///
/// The host calls, in this order: ``checkClearingIsAllowed()``; a poll to the end; ``holdRecording(for:)``; a poll of the rest;
/// ``cursorForClearing(_:)``, whose cursor it stores; ``clearLog(coveredBy:)``; and ``releaseRecording()`` on every path.
/// The next poll then finds a log that begins anew and says so with ``SourceReset/Reason/logCleared``.
public protocol LogClearing: PollingSession {
    /// - Throws: ``DeviceFault/Code/notAllowed`` unless the settings allow clearing.
    func checkClearingIsAllowed() throws(DeviceFault)

    /// Keeps people from punching.
    /// - Parameter limit: after which the device lets them again by itself, where it can.
    func holdRecording(for limit: Duration) async throws(DeviceFault)

    /// Lets people punch again. Never throws: what fails here is mended when the next session opens.
    func releaseRecording() async

    /// The same place in the log, with the note that the log is about to be cleared. Stored before the clearing, it lets
    /// a later poll tell this clearing from one that nobody announced, also after a crash.
    func cursorForClearing(_ cursor: Cursor) throws(DeviceFault) -> Cursor

    /// Clears the log, if the device still holds exactly what `cursor` covers: its count is read again just before.
    /// - Throws: ``DeviceFault/Code/rejected`` when it holds anything else; nothing is cleared then.
    func clearLog(coveredBy cursor: Cursor) async throws(DeviceFault)
}
