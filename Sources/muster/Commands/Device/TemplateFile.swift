internal import DeviceKit
internal import Foundation

/// Templates in a file of the operator, readable by its owner only. The one place outside of devices where they stand.
struct TemplateFile: Codable {
    struct Item: Codable {
        var code: String
        var finger: Int
        var validity: Template.Validity
        var algorithm: String?
        var bytes: Data
    }

    var format: String
    var device: String
    var serialNumber: String?
    var templates: [Item]

    private static let format = "muster-templates-1"
    /// A terminal with 10,000 fingers fills less.
    private static let maximumByteCount = 256 << 20

    private enum CodingKeys: String, CodingKey {
        case format, device
        case serialNumber = "serial_number"
        case templates
    }

    init(_ templates: [Template], device: String, serialNumber: String?) {
        format = Self.format
        self.device = device
        self.serialNumber = serialNumber
        self.templates = templates.map {
            Item(
                code: $0.code, finger: $0.finger, validity: $0.validity, algorithm: $0.algorithm,
                bytes: Data($0.reveal()))
        }
    }

    var all: [Template] {
        templates.map {
            Template(
                code: $0.code, finger: $0.finger, validity: $0.validity, algorithm: $0.algorithm,
                bytes: Array($0.bytes))
        }
    }

    /// Makes the file; one that is there is left alone.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(self) + Data([0x0A])
        try PrivateFile.create(path, data)
    }

    static func read(_ path: String) throws -> TemplateFile {
        guard let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int,
            size <= maximumByteCount, let data = FileManager.default.contents(atPath: path)
        else { throw Failure(Exit.ioError, "cannot read \(path)") }
        // The decoder's own words may quote what it read.
        guard let file = try? JSONDecoder().decode(TemplateFile.self, from: data), file.format == format else {
            throw Failure(Exit.usage, "\(path) is no file of muster device … templates save")
        }
        if PrivateFile.isOpenToOthers(path) {
            StandardError.write("warning: others can read \(path): chmod 600 \(path)\n")
        }
        return file
    }
}

/// Files for the eyes of their owner.
enum PrivateFile {
    /// Creates the file with mode 0600 before a byte is in it.
    static func create(_ path: String, _ data: Data) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw Failure(Exit.usage, "\(path) exists already: name another file") }
            throw Failure(Exit.ioError, "cannot make \(path): \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: data)
            try handle.synchronize()
            try handle.close()
        } catch {
            throw Failure(Exit.ioError, "cannot write \(path)")
        }
    }

    static func isOpenToOthers(_ path: String) -> Bool {
        let mode = (try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]) as? Int
        return mode.map { $0 & 0o077 != 0 } ?? false
    }
}
