internal import DeviceKit
internal import ZKTecoWire

/// What a refused command means to an operator.
enum CommandFaults {
    /// - Parameter what: what was asked, as in "declines to \(what)".
    static func declined(_ what: String, _ answer: Packet) -> DeviceFault {
        switch answer.code {
        case Reply.error, Reply.badData: DeviceFault(.rejected, "the terminal declines to \(what)")
        case Reply.unknown, Reply.badCommand: DeviceFault(.unsupported, "the terminal does not know how to \(what)")
        default: OpeningFaults.refused("a request to \(what)", answer)
        }
    }

    static let credentials = DeviceFault(
        .notAllowed, "templates are off for this device: set credentials: true in its settings to read and write them")
    static let clearing = DeviceFault(
        .notAllowed, "clearing logs is off for this device: set clear_log: true in its settings")

    static func nobody(_ code: String) -> DeviceFault {
        DeviceFault(.notFound, "nobody on the terminal has the code \(code)")
    }

    static func finger(_ number: Int) -> DeviceFault {
        DeviceFault(.invalidRequest, "fingers are 0 to 9, not \(number)")
    }
}

extension ZKTecoSession {
    /// Sends a command that is done or declined.
    /// - Parameter what: as in ``CommandFaults/declined(_:_:)``.
    func perform(_ code: UInt16, _ payload: [UInt8] = [], to what: String) async throws(DeviceFault) {
        let answer = try await request(code, payload)
        guard answer.code == Reply.ok else { throw CommandFaults.declined(what, answer) }
    }

    /// After a change of people and templates: the terminal reads its tables anew.
    func refreshData() async throws(DeviceFault) { _ = try await request(Command.refreshData) }

    /// A finger as the wire has it.
    static func finger(_ number: Int) throws(DeviceFault) -> UInt8 {
        guard (0...9).contains(number) else { throw CommandFaults.finger(number) }
        return UInt8(number)
    }
}
