internal import DeviceKit
internal import Journal

/// Keeps commands away from a device that is not the accepted one, where no host runs that would do so.
struct AcceptanceCheck: Sendable {
    let device: HostConfiguration.Device
    let directory: DataDirectory
    let time: any TimeSource

    /// Returns for the accepted device, and for any where none was accepted yet.
    /// - Parameter services: where the command has the journal open, which then trusts the first device that it meets.
    /// - Throws: ``DeviceFault/Code/deviceReplaced``; `muster device DEVICE accept` knows of it from then on.
    func admit(_ identity: DeviceIdentity, _ services: HostServices?) async throws(DeviceFault) {
        guard let services else { return try await admit(identity) }
        var keeper = await services.keeper(for: device)
        let isAccepted = keeper.identified(identity, now: time.now())
        await services.save(&keeper, device)
        guard isAccepted else { throw keeper.heldFault }
    }

    private func admit(_ identity: DeviceIdentity) async throws(DeviceFault) {
        // A journal that is not there has accepted nobody; one that cannot be read keeps nobody from a device.
        guard let reader = try? JournalReader(directory), let stored = try? await reader.status(for: device.id) else {
            return
        }
        var keeper = StatusKeeper(device, now: time.now())
        keeper.restore(stored)
        guard !keeper.identified(identity, now: time.now()) else { return }
        keeper.rest()
        keeper.stamp(time.now())
        // A process that has the journal for itself finds out at its own next look.
        if let journal = try? PunchJournal(directory) { try? await journal.saveStatus(keeper.status) }
        throw keeper.heldFault
    }
}
