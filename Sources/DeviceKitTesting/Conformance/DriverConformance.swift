public import DeviceKit

/// Holds a driver to the contract: runs it against a device, time and links that the caller controls, and says check by
/// check what held.
///
/// ```swift
/// let conformance = DriverConformance<AcmeDriver>(settings: settings) { makeBench() }
/// let report = await conformance.run()
/// #expect(report.failures.isEmpty, "\(report)")
/// ```
public struct DriverConformance<Driver: DeviceDriver>: Sendable {
    let settings: Driver.Settings
    let makeBench: @Sendable () async -> ConformanceBench
    let patience: Patience

    /// - Parameters:
    ///   - settings: with them the driver reaches the device of a bench.
    ///   - patience: how long a call may take on the real clock before it counts as hanging.
    ///   - bench: makes a fresh device; called at least once for each check.
    public init(
        settings: Driver.Settings, patience: Duration = .seconds(10),
        bench: @escaping @Sendable () async -> ConformanceBench
    ) {
        self.settings = settings
        self.patience = Patience(limit: patience)
        makeBench = bench
    }

    /// Runs the checks one after the other.
    public func run(_ checks: [ConformanceCheck] = ConformanceCheck.allCases) async -> ConformanceReport {
        var results: [ConformanceResult] = []
        for check in checks { results.append(await run(check)) }
        return ConformanceReport(driver: Driver.manifest.id, results: results)
    }

    private func run(_ check: ConformanceCheck) async -> ConformanceResult {
        do throws(Verdict) {
            return ConformanceResult(check: check, outcome: .passed, evidence: try await evidence(for: check))
        } catch {
            switch error {
            case .failed(let evidence):
                return ConformanceResult(check: check, outcome: .failed, evidence: evidence)
            case .notApplicable(let evidence):
                return ConformanceResult(check: check, outcome: .notApplicable, evidence: evidence)
            }
        }
    }

    private func evidence(for check: ConformanceCheck) async throws(Verdict) -> String {
        switch check {
        case .manifest: try await checkManifest()
        case .settings: try checkSettings()
        case .pureInit: try await checkPureInit()
        case .reopening: try await checkReopening()
        case .closing: try await checkClosing()
        case .wholeLog: try await checkWholeLog()
        case .pageLimits: try await checkPageLimits()
        case .resuming: try await checkResuming()
        case .repeating: try await checkRepeating()
        case .foreignCursor: try await checkForeignCursor()
        case .capabilities: try await checkCapabilities()
        case .cancellation: try await checkCancellation()
        case .capturing: try await checkCapturing()
        case .acknowledging: try await checkAcknowledging()
        }
    }
}

/// A driver on its bench.
struct Rig<Driver: DeviceDriver>: Sendable {
    let bench: ConformanceBench
    let instruments: Instruments
    let driver: Driver
    let patience: Patience

    func open() async throws(Verdict) -> any DeviceSession {
        let result = await answer(of: "open") { [driver] () async throws(DeviceFault) in try await driver.open() }
        return try result.get(or: "open")
    }

    /// The outcome of a call that may hang or fail.
    func answer<Value: Sendable>(
        of what: String, _ work: @escaping @Sendable () async throws(DeviceFault) -> Value
    ) async -> Result<Result<Value, DeviceFault>, Verdict> {
        do throws(Verdict) {
            return .success(
                try await patience.wait(for: what) {
                    do throws(DeviceFault) { return .success(try await work()) } catch { return .failure(error) }
                })
        } catch {
            return .failure(error)
        }
    }

    /// The value of a call that must succeed.
    func value<Value: Sendable>(
        of what: String, _ work: @escaping @Sendable () async throws(DeviceFault) -> Value
    ) async throws(Verdict) -> Value {
        try await answer(of: what, work).get(or: what)
    }

    func close(_ session: any DeviceSession, _ what: String = "close") async throws(Verdict) {
        try await patience.wait(for: what) { await session.close() }
    }
}

extension Result where Failure == Verdict {
    /// The value, or a failed verdict that says what failed.
    func get<Value>(or what: String) throws(Verdict) -> Value where Success == Result<Value, DeviceFault> {
        switch try get() {
        case .success(let value): return value
        case .failure(let fault): throw .failed("\(what) threw: \(fault)")
        }
    }
}

extension DriverConformance {
    func makeRig() async throws(Verdict) -> Rig<Driver> {
        let bench = await makeBench()
        let instruments = Instruments()
        do throws(DeviceFault) {
            let driver = try Driver(settings: settings, context: instruments.watch(bench.context))
            return Rig(bench: bench, instruments: instruments, driver: driver, patience: patience)
        } catch {
            throw .failed("init threw: \(error)")
        }
    }

    /// Gives tasks that were left behind, if any, a chance to show themselves.
    func letOthersRun() async {
        for _ in 0..<200 { await Task.yield() }
    }
}
