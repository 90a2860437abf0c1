internal import DeviceKit
internal import ZKTecoWire

// Templates: reading one, writing them in the two ways, deleting.
extension EmulatorMachine {
    /// More cannot be uploaded: a person has ten fingers.
    private static let largestUpload = 256 * 1_024

    mutating func serveTemplates(_ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        switch packet.code {
        case Command.usersRead, Command.userTemplateRead: return readTemplate(packet, id)
        case Command.templateDelete: return [deleteTemplate(packet, id)]
        case Command.userTemplateDelete: return [deleteTemplateByCode(packet, id)]
        case Command.prepareData, Command.data, Command.uploadChecksum: return [upload(packet, id)]
        case Command.saveUserTemplates: return [saveUserTemplates(packet, id)]
        case Command.templateStore: return [storeTemplate(packet, id)]
        default: return [reply(packet, id, Reply.error)]
        }
    }

    /// Two commands for one template; the newer one sends one byte more.
    private func readTemplate(_ packet: Packet, _ id: Int) -> [EmulatorEffect] {
        var reader = ByteReader(packet.payload)
        guard let uid = try? reader.u16(), let finger = try? reader.u8(), let entry = templates[uid, finger] else {
            return [reply(packet, id, Reply.error)]
        }
        let trailer: [UInt8] = packet.code == Command.userTemplateRead ? [1] : []
        return chunk(entry.bytes + trailer, packet, id)
    }

    private mutating func deleteTemplate(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        var reader = ByteReader(packet.payload)
        guard let uid = try? reader.u16(), let finger = try? reader.u8(),
            templates.remove(uid: uid, finger: finger)
        else { return reply(packet, id, Reply.error) }
        return reply(packet, id)
    }

    private mutating func deleteTemplateByCode(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        var reader = ByteReader(packet.payload)
        guard let code = try? reader.textField(24), let finger = try? reader.u8(),
            let person = people.first(where: { $0.code.utf8.elementsEqual(code) }),
            templates.remove(uid: person.uid, finger: finger)
        else { return reply(packet, id, Reply.error) }
        return reply(packet, id)
    }

    // MARK: Uploads

    /// A client announces a size and sends pieces; what is to be done with them comes after.
    private mutating func upload(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        switch packet.code {
        case Command.prepareData:
            var reader = ByteReader(packet.payload)
            guard let size = try? reader.u32(), (1...UInt32(Self.largestUpload)).contains(size) else {
                return reply(packet, id, Reply.error)
            }
            connections[id]?.upload = EmulatedUpload(expected: Int(size))
            return reply(packet, id)
        case Command.data:
            guard connections[id]?.upload?.append(packet.payload) == true else { return reply(packet, id, Reply.error) }
            return reply(packet, id)
        default:
            guard let upload = connections[id]?.upload else { return reply(packet, id, Reply.error) }
            var sum = ByteWriter()
            // How real terminals compute it is not known.
            sum.u32(upload.bytes.reduce(0) { $0 &+ UInt32($1) })
            return reply(packet, id, Reply.ok, sum.bytes)
        }
    }

    /// All of it or nothing.
    private mutating func saveUserTemplates(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        guard let upload = connections[id]?.upload, upload.isComplete,
            let read = try? TemplateUpload(bytes: upload.bytes, userLayout)
        else { return reply(packet, id, Reply.error) }
        connections[id]?.upload = nil
        var changed = self
        for user in read.users where !changed.put(user) { return reply(packet, id, Reply.error) }
        for template in read.templates {
            guard changed.people.contains(where: { $0.uid == template.uid }), changed.templates.put(template) else {
                return reply(packet, id, Reply.error)
            }
        }
        self = changed
        return reply(packet, id)
    }

    /// The old way: an upload becomes one template.
    private mutating func storeTemplate(_ packet: Packet, _ id: Int) -> EmulatorEffect {
        var reader = ByteReader(packet.payload)
        guard let uid = try? reader.u16(), let finger = try? reader.u8(), let flag = try? reader.u8(),
            let size = try? reader.u16(), let upload = connections[id]?.upload, upload.isComplete,
            upload.bytes.count == Int(size), people.contains(where: { $0.uid == uid }),
            templates.put(TemplateEntry(uid: uid, finger: finger, flag: flag, bytes: upload.bytes))
        else { return reply(packet, id, Reply.error) }
        connections[id]?.upload = nil
        return reply(packet, id)
    }
}

/// What a client uploads, piece by piece.
struct EmulatedUpload: Sendable {
    let expected: Int
    private(set) var bytes: [UInt8] = []

    init(expected: Int) { self.expected = expected }

    var isComplete: Bool { bytes.count == expected }

    /// False for more than was announced.
    mutating func append(_ piece: [UInt8]) -> Bool {
        guard bytes.count + piece.count <= expected else { return false }
        bytes += piece
        return true
    }
}
