internal import DeviceKit
internal import Journal
internal import Synchronization

/// One session from its opening to its end: performs what the supervisor asks, one thing at a time, beside the capture.
struct SessionRunner: Sendable {
    enum Command: Sendable {
        case capture, poll, keepAlive, refresh, setClock
        case command(PendingCommand)
    }

    /// What the supervisor hears.
    enum Report: Sendable {
        case event(SupervisorEvent)
        case identified(DeviceIdentity)
        case found(LogInventory?, SourceReset?)
        /// The log is about to be asked for. The clock was read before, where the device has one.
        case pollBegan(ClockSample?, now: Instant, uptime: Duration)
        case clock(ClockSample)
        /// The clock was set; as it is afterwards, and the newest punch of the journal.
        case clockSet(ClockSample, newestPunch: Instant?)
        /// The device does not let its clock be set.
        case clockSettingFailed(DeviceFault)
        case polled(Result<PollSummary, DeviceFault>, took: Duration)
    }

    let driver: any DeviceDriver
    let device: HostConfiguration.Device
    let services: HostServices
    let commands: AsyncStream<Command>
    let heard: @Sendable () -> Void
    let report: @Sendable (Report) -> Void

    private static let refreshTimeout = Duration.seconds(60)

    /// Returns when the commands end, the task is cancelled, or the device could not be opened. The session is then
    /// closed.
    func run() async {
        let session: any DeviceSession
        do throws(DeviceFault) {
            session = try await Self.open(driver, within: device.lifecycle.openTimeout, time: services.time)
        } catch {
            return report(.event(.openFailed(error)))
        }
        report(.identified(session.identity))
        report(.event(.opened))
        await withDiscardingTaskGroup { group in
            for await command in commands {
                if case .capture = command {
                    let subscription = ChangeSignal()
                    group.addTask {
                        await capture(session, subscription)
                        subscription.send()
                    }
                    // Only then the log is read: between its end and the first capture nothing may be punched unseen.
                    _ = await services.time.withDeadline(device.lifecycle.keepAliveTimeout) {
                        try? await subscription.wait(since: 0)
                    }
                } else {
                    await perform(command, on: session)
                }
            }
            group.cancelAll()
        }
        await session.close()
    }

    /// Opens a session within the time that opening may take.
    static func open(
        _ driver: any DeviceDriver, within limit: Duration, time: any TimeSource
    ) async throws(DeviceFault) -> any DeviceSession {
        let outcome = await time.withDeadline(limit) { () async -> Result<any DeviceSession, DeviceFault> in
            do throws(DeviceFault) {
                return .success(try await driver.open())
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .finished(let result): return try result.get()
        case .expired(.success(let session)):
            await session.close()
            fallthrough
        case .expired(.failure):
            throw DeviceFault(.timedOut, "the device could not be opened within \(limit)")
        }
    }

    private func capture(_ session: any DeviceSession, _ subscription: ChangeSignal) async {
        guard let capturing = session as? any CapturingSession else { return }
        let intake = CaptureIntake(
            device: device.id, zone: device.zone, time: services.time, writer: services.writer, heard: heard,
            isSubscribed: { subscription.send() })
        do throws(DeviceFault) {
            try await capturing.capture(into: intake)
            report(.event(.captureEnded(DeviceFault(.connectionLost, "the device ended the capture"))))
        } catch {
            if error.kind != .cancelled { report(.event(.captureEnded(error))) }
        }
    }

    private func perform(_ command: Command, on session: any DeviceSession) async {
        switch command {
        case .capture: break
        case .poll: await poll(session)
        case .command(let pending): await perform(pending, on: session)
        case .keepAlive:
            guard let living = session as? any KeepAlive else { return report(.event(.operationFinished)) }
            await limited(to: device.lifecycle.keepAliveTimeout) { () async throws(DeviceFault) in
                try await living.keepAlive()
            }
        case .refresh:
            await limited(to: Self.refreshTimeout) { () async throws(DeviceFault) in try await refresh(session) }
        case .setClock:
            await limited(to: Self.refreshTimeout) { () async throws(DeviceFault) in try await setClock(session) }
        }
    }

    /// What goes wrong concerns whoever asked, unless it is the link.
    private func perform(_ pending: PendingCommand, on session: any DeviceSession) async {
        let execution = CommandExecution(
            device: device, time: services.time, services: services, progress: pending.progress,
            found: { report(.found($0, $1)) })
        let outcome = await pending.perform(time: services.time) { () async throws(DeviceFault) in
            try await execution.run(pending.command, on: session)
        }
        if case .failure(let fault) = outcome, fault.endsLink {
            report(.event(.operationFailed(fault)))
        } else {
            report(.event(.operationFinished))
        }
    }

    /// Reads anew what is known of the device: who it is, how full its log is, what its clock shows.
    private func refresh(_ session: any DeviceSession) async throws(DeviceFault) {
        if let telling = session as? any IdentityReading { report(.identified(try await telling.readIdentity())) }
        if let counting = session as? any LogInventoryReading {
            report(.found(try await counting.readInventory(), nil))
        }
        if let reading = try await readClock(session) { report(.clock(reading)) }
    }

    /// What the clock shows, with the moment in the middle between question and answer; `nil` where there is none to be
    /// read.
    private func readClock(_ session: any DeviceSession) async throws(DeviceFault) -> ClockSample? {
        try await ClockQuestion(time: services.time).ask(session)
    }

    private func setClock(_ session: any DeviceSession) async throws(DeviceFault) {
        guard let clock = session as? any DeviceClock else { return }
        let newest = await services.writer.newestPunch(of: device.id)
        do throws(DeviceFault) {
            // The device cuts what is less than a second.
            try await clock.setClock(device.zone.localTime(at: services.time.now() + .milliseconds(500)))
        } catch {
            guard SupervisorMachine.spares(error) else { throw error }
            return report(.clockSettingFailed(error))
        }
        if let reading = try await readClock(session) { report(.clockSet(reading, newestPunch: newest)) }
    }

    private func poll(_ session: any DeviceSession) async {
        guard let polling = session as? any PollingSession else { return report(.event(.pollFinished)) }
        var poll = services.logPoll(for: device)
        poll.found = { report(.found($0, $1)) }
        let start = services.time.uptime()
        do throws(DeviceFault) {
            let reading = try await readClock(session)
            report(.pollBegan(reading, now: services.time.now(), uptime: services.time.uptime()))
            let summary = try await poll.run(polling)
            report(.polled(.success(summary), took: services.time.uptime() - start))
            report(.event(.pollFinished))
        } catch {
            report(.polled(.failure(error), took: services.time.uptime() - start))
            report(.event(.pollFailed(error)))
        }
    }

    private func limited(
        to limit: Duration, _ work: @escaping @Sendable () async throws(DeviceFault) -> Void
    ) async {
        let outcome = await services.time.withDeadline(limit) { () async -> DeviceFault? in
            do throws(DeviceFault) {
                try await work()
                return nil
            } catch {
                return error
            }
        }
        switch outcome {
        case .finished(nil), .expired(nil): report(.event(.operationFinished))
        case .finished(.some(let fault)): report(.event(.operationFailed(fault)))
        case .expired(.some):
            let fault = DeviceFault(.timedOut, "the device was silent for \(limit): the connection is taken for dead")
            report(.event(.operationFailed(fault)))
        }
    }
}
