internal import DeviceKit
internal import UnixSignals

/// Runs work that SIGINT and SIGTERM cancel instead of ending the program, so that it can show what it has.
public func cancelledBySignals<Value: Sendable>(
    _ work: @escaping @Sendable () async -> Value
) async -> (value: Value, wasInterrupted: Bool) {
    await withInterruption(
        by: { for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { return } }, work)
}
