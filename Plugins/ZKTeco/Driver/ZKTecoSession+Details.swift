internal import DeviceKit
internal import ZKTecoWire

extension ZKTecoSession: DeviceDetailsReading, DeviceOptionReading, DeviceCounting {
    /// Asked for one by one; a terminal answers what it knows.
    private static let detailNames = [
        "~OEMVendor", "~ProductTime", "~OS", "~PIN2Width", "~IsABCPinEnable", "~ExtendFmt", "~UserExtFmt",
        "~RFCardOn", "~IsOnlyRFMachine", "FingerFunOn", "FaceFunOn", "WorkCode", "CompatOldFirmware", "DeviceID",
        "DHCP", "DNS", "TCPPort", "UDPPort", "Language", "VoiceOn", "LockOn",
    ]
    /// Whoever may see them reads them at the terminal.
    private static let secretNames: Set<String> = ["comkey", "~comkey"]
    private static let longestName = 64

    func readDetails() async throws(DeviceFault) -> DeviceDetails {
        var details = DeviceDetails(identity: identity)
        details.networkAddress = try await option("IPAddress")
        details.networkMask = try await option("NetMask")
        details.gateway = try await option("GATEIPAddress")
        details.fingerprintAlgorithm = try await option("~ZKFPVersion")
        details.faceAlgorithm = try await option("ZKFaceVersion")
        details.activity = try await readActivity()
        for name in Self.detailNames {
            guard let value = try await option(name) else { continue }
            details.options.append(DeviceDetails.Option(name: name, value: value))
        }
        return details
    }

    func readOption(_ name: String) async throws(DeviceFault) -> String? {
        let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x3D }
        guard isPlain, (1...Self.longestName).contains(name.utf8.count) else {
            throw DeviceFault(.invalidRequest, "'\(name)' is no name of an option")
        }
        guard !Self.secretNames.contains(name.lowercased()) else {
            throw DeviceFault(.invalidRequest, "\(name) is a secret and is not shown")
        }
        return try await option(name)
    }

    /// `nil` for an option that the terminal does not know or leaves empty.
    func option(_ name: String) async throws(DeviceFault) -> String? {
        let answer = try await request(Command.optionRead, OptionText.request(name))
        guard answer.code == Reply.ok, let option = OptionText.split(answer.payload) else { return nil }
        return OptionText.line(option.value)
    }

    /// The state stands where the session stands in other answers.
    private func readActivity() async throws(DeviceFault) -> String? {
        let answer = try await request(Command.stateRead)
        guard answer.code == Reply.ok else { return nil }
        switch answer.session {
        case 0: return "waiting"
        case 1: return "enrolling"
        case 2: return "identifying"
        case 3: return "in its menu"
        case 4: return "busy"
        case 5: return "writing a card"
        default: return nil
        }
    }

    func readCounts() async throws(DeviceFault) -> DeviceCounts {
        let answer = try await request(Command.counters)
        guard answer.code == Reply.ok else { throw OpeningFaults.refused("GET_FREE_SIZES", answer) }
        var counts = DeviceCounts()
        guard let counters = try? Counters(bytes: answer.payload) else { return counts }
        func count(_ number: Int32) -> Int { Int(max(number, 0)) }
        counts.people = count(counters.users)
        counts.peopleCapacity = count(counters.userCapacity)
        counts.administrators = count(counters.administrators)
        counts.passwords = count(counters.passwords)
        counts.fingerprints = count(counters.fingerprints)
        counts.fingerprintCapacity = count(counters.fingerprintCapacity)
        counts.faces = counters.faces.map(count)
        counts.faceCapacity = counters.faceCapacity.map(count)
        counts.records = count(counters.records)
        counts.recordCapacity = count(counters.recordCapacity)
        counts.operations = count(counters.operations)
        return counts
    }
}
