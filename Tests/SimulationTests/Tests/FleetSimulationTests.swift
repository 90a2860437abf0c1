import FleetSimulation
import Foundation
import Testing

/// A few seeds with every build; `make simulate SEEDS=300` runs hundreds in an optimised program.
@Suite("A fleet over weeks of virtual time")
struct FleetSimulationTests {
    /// Each of these once showed a mistake.
    static let remembered: [UInt64] = [4, 18, 28, 35, 40]

    @Test("40 devices for 30 days, with faults, restarts and clock changes", arguments: [1, 2, 3] + remembered)
    func fleet(_ seed: UInt64) {
        var options = FleetSimulation.Options(seed: seed)
        options.deviceCount = 40
        let report = FleetSimulation(options).run()
        #expect(report.violations == [], "seed \(seed)")
        #expect(report.punchCount > 5_000)
    }

    @Test("one seed is one history")
    func replay() {
        var options = FleetSimulation.Options(seed: 42)
        options.deviceCount = 20
        options.days = 10
        #expect(FleetSimulation(options).run() == FleetSimulation(options).run())
    }

    @Test("hundreds of seeds, when SIMULATION_SEEDS says how many")
    func many() {
        let count = ProcessInfo.processInfo.environment["SIMULATION_SEEDS"].flatMap { UInt64($0) } ?? 0
        for seed in 0..<count {
            let report = FleetSimulation(FleetSimulation.Options(seed: 1_000 + seed)).run()
            #expect(report.violations == [], "seed \(1_000 + seed)")
        }
    }
}
