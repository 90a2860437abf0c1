internal import DeviceKit

/// Asks a device what its clock shows.
struct ClockQuestion: Sendable {
    let time: any TimeSource

    /// What a device may take to answer.
    static let timeout = Duration.seconds(15)

    /// - Returns: `nil` for a device whose clock cannot be read.
    /// - Throws: what ended the link. A clock that shows no date is an answer.
    func ask(_ session: any DeviceSession) async throws(DeviceFault) -> ClockSample? {
        guard let clock = session as? any DeviceClock else { return nil }
        let (now, start) = (time.now(), time.uptime())
        let outcome = await time.withDeadline(Self.timeout) { () async -> Result<LocalDateTime, DeviceFault> in
            do throws(DeviceFault) {
                return .success(try await clock.readClock())
            } catch {
                return .failure(error)
            }
        }
        let way = time.uptime() - start
        let moment = (now: now + way / 2, uptime: start + way / 2)
        switch outcome {
        case .finished(.success(let shown)), .expired(.success(let shown)):
            return ClockSample(.time(shown), now: moment.now, uptime: moment.uptime)
        case .finished(.failure(let fault)):
            if fault.code == .malformed {
                return ClockSample(.nothing(fault.message), now: moment.now, uptime: moment.uptime)
            }
            // The device answers, but not this question.
            guard SupervisorMachine.spares(fault) else { throw fault }
            return nil
        case .expired(.failure):
            throw DeviceFault(.timedOut, "the device did not say within \(Self.timeout) what its clock shows")
        }
    }
}
