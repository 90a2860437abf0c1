internal import DeviceKit
internal import ZKTecoWire

extension ZKTecoSession: DoorControl, VoicePlayback, MessageDisplay, PowerControl {
    private static let unlockSeconds = 1...600
    private static let voices = 0...255
    private static let displayLines = 0...15
    private static let displayByteCount = 32

    /// One byte, 1 for open; many terminals send none.
    func readDoor() async throws(DeviceFault) -> DoorState {
        let answer = try await request(Command.doorState)
        guard answer.code == Reply.ok else { throw CommandFaults.declined("tell of its door", answer) }
        switch answer.payload.first {
        case nil: return .unknown
        case 1: return .open
        default: return .closed
        }
    }

    /// The unit of the number is disputed among public sources: not verified on hardware.
    func unlockDoor(for duration: Duration) async throws(DeviceFault) -> String {
        let (seconds, rest) = duration.components
        guard rest == 0, let seconds = Int(exactly: seconds), Self.unlockSeconds.contains(seconds) else {
            let (first, last) = (Self.unlockSeconds.lowerBound, Self.unlockSeconds.upperBound)
            throw DeviceFault(.invalidRequest, "a door is unlocked for \(first) to \(last) whole seconds")
        }
        let number = settings.unlockUnit == .tenths ? seconds * 10 : seconds
        var payload = ByteWriter(capacity: 4)
        payload.u32(UInt32(number))
        try await perform(Command.unlock, payload.bytes, to: "unlock the door")
        let unit = settings.unlockUnit == .tenths ? "tenths of a second" : "seconds"
        return "sent \(number) (\(unit)); a door that stays open for another time needs the other unlock_unit"
    }

    func playVoice(_ number: Int) async throws(DeviceFault) {
        guard Self.voices.contains(number) else {
            throw DeviceFault(.invalidRequest, "voices are \(Self.voices.lowerBound) to \(Self.voices.upperBound)")
        }
        var payload = ByteWriter(capacity: 4)
        payload.u32(UInt32(number))
        try await perform(Command.testVoice, payload.bytes, to: "play voice \(number)")
    }

    func showMessage(_ text: String, line: Int) async throws(DeviceFault) {
        guard Self.displayLines.contains(line) else {
            throw DeviceFault(.invalidRequest, "lines are 0 to \(Self.displayLines.upperBound)")
        }
        guard let bytes = settings.nameEncoding.encode(text), bytes.count <= Self.displayByteCount,
            !bytes.contains(where: { $0 < 0x20 })
        else {
            throw DeviceFault(
                .invalidRequest, "a message is at most \(Self.displayByteCount) bytes of text on one line")
        }
        var payload = ByteWriter()
        payload.u16(UInt16(line))
        payload.append([0, 0x20])
        payload.append(bytes)
        try await perform(Command.writeLCD, payload.bytes, to: "show a message")
    }

    func clearMessage() async throws(DeviceFault) { try await perform(Command.clearLCD, to: "clear its display") }

    func restart() async throws(DeviceFault) { try await switchOff(Command.restart, "restart") }

    func powerOff() async throws(DeviceFault) { try await switchOff(Command.powerOff, "switch itself off") }

    /// Some terminals answer and then go, others just go.
    private func switchOff(_ command: UInt16, _ what: String) async throws(DeviceFault) {
        do throws(DeviceFault) {
            try await perform(command, to: what)
        } catch {
            guard error.code == .connectionLost else { throw error }
        }
        // Nobody is there any more to say goodbye to.
        markClosed()
    }
}

extension ZKTecoSession: OperationLogClearing {
    func clearOperations(_ mark: OperationLog.Mark) async throws(DeviceFault) {
        try checkClearingIsAllowed()
        let held = try await readOperations().mark
        guard held == mark else {
            throw DeviceFault(
                .rejected,
                "the terminal's operation log holds \(held.count) entries and is not the one of \(mark.count) that was read: nothing was cleared"
            )
        }
        guard held.count > 0 else { return }
        try await perform(Command.clearOperationLog, to: "clear its operation log")
        try await refreshData()
    }

    func readOperations() async throws(DeviceFault) -> OperationLog {
        try await dropReading()
        let set = try await bulk.readWhole(.operations)
        var reader = ByteReader(set)
        guard let length = try? reader.u32(), Int(length) <= reader.remaining else {
            throw DeviceFault(.incomplete, "the operation log is shorter than it says", evidence: set.prefix(64))
        }
        var log = OperationLog(entries: [])
        var rest = reader.rest().prefix(Int(length))
        while !rest.isEmpty {
            let bytes = rest.prefix(OperationRecord.byteCount)
            do throws(WireError) {
                log.entries.append(Self.entry(try OperationRecord(bytes: bytes), bytes))
            } catch {
                log.rejected.append(RejectedRecord(reason: error.description, bytes: Array(bytes)))
            }
            rest = rest.dropFirst(bytes.count)
        }
        return log
    }

    private static func entry(_ record: OperationRecord, _ bytes: ArraySlice<UInt8>) -> OperationEntry {
        OperationEntry(
            number: Int(record.operation), name: OperationRecord.name(record.operation), localTime: record.time,
            administrator: Int(record.administrator), parameters: record.parameters.map { Int($0) },
            raw: Array(bytes))
    }
}
