internal import DeviceKit
internal import ZKTecoWire

extension ZKTecoSession: LogClearing {
    func checkClearingIsAllowed() throws(DeviceFault) {
        guard settings.allowsClearing else { throw CommandFaults.clearing }
    }

    /// DISABLEDEVICE with seconds. That terminals end it by themselves is not verified on hardware; the driver enables
    /// them afterwards and at each connection.
    func holdRecording(for limit: Duration) async throws(DeviceFault) {
        try checkClearingIsAllowed()
        try await dropReading()
        // The end of the log is compared at the next poll, however short the last comparison is ago.
        forgetComparison()
        var payload = ByteWriter(capacity: 4)
        payload.u32(UInt32(clamping: limit.components.seconds))
        try await perform(Command.disableDevice, payload.bytes, to: "let nobody punch for a moment")
    }

    func releaseRecording() async { await sayAfterwards(Command.enableDevice) }

    func cursorForClearing(_ cursor: Cursor) throws(DeviceFault) -> Cursor {
        var place = try ZKTecoCursor(cursor)
        place.expectsClearing = true
        guard let announced = place.cursor else { throw DeviceFault(.unsupported, "the place in the log is too large") }
        return announced
    }

    func clearLog(coveredBy cursor: Cursor) async throws(DeviceFault) {
        try checkClearingIsAllowed()
        let covered = try ZKTecoCursor(cursor)
        guard covered.serialNumber == serialNumber else {
            throw DeviceFault(
                .rejected, "another terminal answers at this address: its log is not the one that was read")
        }
        guard let count = try await readInventory().recordCount else {
            throw DeviceFault(.rejected, "the terminal does not say how many records it holds: nothing was cleared")
        }
        guard UInt64(count) == covered.recordCount else {
            throw DeviceFault(
                .rejected,
                "the terminal holds \(count) records, the journal has \(covered.recordCount): nothing was cleared")
        }
        guard count > 0 else { return }
        try await perform(Command.clearLog, to: "clear its log")
        try await refreshData()
    }
}
