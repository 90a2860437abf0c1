internal import DeviceKit
internal import ZKTecoWire

extension ZKTecoSession: TemplateStore {
    func readTemplates(of code: String?) async throws(DeviceFault) -> [Template] {
        try checkCredentials()
        let users = try await readUserTable().users
        if let code, !users.contains(where: { $0.code == code }) { throw CommandFaults.nobody(code) }
        let algorithm = try await option("~ZKFPVersion")
        let codes = Dictionary(users.map { ($0.uid, $0.code) }, uniquingKeysWith: { first, _ in first })
        // Templates of slots that nobody has are left over from people who are gone.
        return try await readTemplateTable().compactMap { entry in
            guard let owner = codes[entry.uid], code == nil || owner == code else { return nil }
            return Template(
                code: owner, finger: Int(entry.finger), validity: Self.validity(entry.flag), algorithm: algorithm,
                bytes: entry.bytes)
        }
    }

    func saveTemplates(_ templates: [Template]) async throws(DeviceFault) {
        try checkCredentials()
        guard !templates.isEmpty else { return }
        let table = try await readUserTable(readsPasswords: true)
        let algorithm = try await option("~ZKFPVersion")
        // All is checked before anything is written.
        var work: [(user: UserRecord, entries: [TemplateEntry])] = []
        for template in templates {
            try Self.check(template, algorithm: algorithm)
            guard let user = table.users.first(where: { $0.code == template.code }) else {
                throw CommandFaults.nobody(template.code)
            }
            let entry = TemplateEntry(
                uid: user.uid, finger: try Self.finger(template.finger), flag: Self.flag(template.validity),
                bytes: template.reveal())
            if let index = work.firstIndex(where: { $0.user.uid == user.uid }) {
                work[index].entries.append(entry)
            } else {
                work.append((user, [entry]))
            }
        }
        for (user, entries) in work { try await save(entries, of: user, table.layout) }
        try await refreshData()
    }

    func deleteTemplates(of code: String, finger: Int?) async throws(DeviceFault) -> Int {
        try checkCredentials()
        if let finger { _ = try Self.finger(finger) }
        guard let user = try await readUserTable().users.first(where: { $0.code == code }) else {
            throw CommandFaults.nobody(code)
        }
        let fingers = try await readTemplateTable().filter { $0.uid == user.uid }.map(\.finger)
        let doomed = fingers.filter { finger == nil || Int($0) == finger }
        // The older command may remove all fingers of a person, so it is not used in its place.
        for finger in doomed {
            var payload = ByteWriter(capacity: 25)
            payload.textField(Array(code.utf8), 24)
            payload.u8(finger)
            try await perform(Command.userTemplateDelete, payload.bytes, to: "remove finger \(finger) of \(code)")
        }
        if !doomed.isEmpty { try await refreshData() }
        return doomed.count
    }

    private func checkCredentials() throws(DeviceFault) {
        guard settings.allowsCredentials else { throw CommandFaults.credentials }
    }

    /// The bytes are never evidence.
    private func readTemplateTable() async throws(DeviceFault) -> [TemplateEntry] {
        if try await readCounts().fingerprints == 0 { return [] }
        try await dropReading()
        let set = try await bulk.readWhole(.templates)
        do throws(WireError) {
            return try TemplateTable.decode(set)
        } catch {
            throw DeviceFault(.malformed, "the table of templates: \(error)")
        }
    }

    // MARK: Writing

    private static func check(_ template: Template, algorithm: String?) throws(DeviceFault) {
        guard (1...TemplateTable.maximumTemplateByteCount).contains(template.byteCount) else {
            throw DeviceFault(.invalidRequest, "a template of \(template.byteCount) bytes is none")
        }
        guard let made = template.algorithm, let algorithm, made != algorithm else { return }
        throw DeviceFault(
            .invalidRequest,
            "the template was made by version \(made) of the algorithm, the terminal has version \(algorithm): enrol the finger anew"
        )
    }

    /// What is valid goes in one upload with its person; a flag of its own needs the older form.
    private func save(
        _ entries: [TemplateEntry], of user: UserRecord, _ layout: UserLayout
    ) async throws(DeviceFault) {
        let plain = entries.filter { $0.flag == 1 }
        if !plain.isEmpty {
            try await upload(TemplateUpload(users: [user], templates: plain).bytes(layout))
            try await perform(Command.saveUserTemplates, TemplateUpload.commit, to: "store templates of \(user.code)")
        }
        for entry in entries where entry.flag != 1 {
            try await upload(entry.bytes)
            var payload = ByteWriter(capacity: 6)
            payload.u16(entry.uid)
            payload.u8(entry.finger)
            payload.u8(entry.flag)
            payload.u16(UInt16(clamping: entry.bytes.count))
            try await perform(
                Command.templateStore, payload.bytes, to: "store finger \(entry.finger) of \(user.code)")
            try await bulk.free()
        }
    }

    private func upload(_ bytes: [UInt8]) async throws(DeviceFault) {
        try await dropReading()
        try await bulk.free()
        var size = ByteWriter(capacity: 4)
        size.u32(UInt32(clamping: bytes.count))
        try await perform(Command.prepareData, size.bytes, to: "take \(bytes.count) bytes")
        for start in stride(from: 0, to: bytes.count, by: TemplateUpload.pieceByteCount) {
            let piece = bytes[start..<min(start + TemplateUpload.pieceByteCount, bytes.count)]
            try await perform(Command.data, Array(piece), to: "take a piece of an upload")
        }
    }

    private static func validity(_ flag: UInt8) -> Template.Validity {
        switch flag {
        case 0: .invalid
        case 3: .duress
        default: .valid
        }
    }

    private static func flag(_ validity: Template.Validity) -> UInt8 {
        switch validity {
        case .invalid: 0
        case .valid: 1
        case .duress: 3
        }
    }
}
