private import Foundation

/// The ground truth in a file: one JSON line for each record that the terminal has held, in order, and one for each time
/// that records were destroyed: `{"event":"cleared","records":1234}` when the log was cleared with so many records in it, and
/// `{"event":"overwritten","records":7}` when the oldest ones gave way to the newest of the lines above.
///
/// A line is handed to the system before the record is sent anywhere, so it outlives a killed emulator. It is not synced
/// to the disk: the file judges software, not power cuts.
final class TruthFile {
    private let handle: FileHandle
    private let encoder = JSONEncoder()

    /// Opens or creates the file and returns what it holds. A last line that a kill cut short is removed: its record was
    /// never sent.
    static func open(path: String) throws(EmulatorError) -> (file: TruthFile, records: [EmulatedRecord]?) {
        let existed = FileManager.default.fileExists(atPath: path)
        guard existed || FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forUpdatingAtPath: path)
        else { throw EmulatorError("cannot open the truth file \(path)") }
        do {
            let data = try handle.readToEnd() ?? Data()
            let whole = data.lastIndex(of: 0x0A).map { data[...$0] } ?? Data()
            try handle.truncate(atOffset: UInt64(whole.count))
            return (TruthFile(handle), existed ? try decode(whole) : nil)
        } catch {
            throw EmulatorError("the truth file \(path) is not readable: \(error)")
        }
    }

    private init(_ handle: FileHandle) {
        self.handle = handle
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    }

    deinit {
        try? handle.close()
    }

    private static func decode(_ lines: Data) throws -> [EmulatedRecord] {
        var log: [EmulatedRecord] = []
        // One array decodes several times as fast as its elements one by one.
        var array = Data([0x5B])
        func take() throws {
            array.append(0x5D)
            log += try JSONDecoder().decode([EmulatedRecord].self, from: array)
            array = Data([0x5B])
        }
        for line in lines.split(separator: 0x0A) {
            if line.starts(with: Self.eventPrefix) {
                try take()
                let event = try JSONDecoder().decode(Event.self, from: line)
                log.removeFirst(event.event == .cleared ? log.count : min(max(event.records, 0), log.count))
                continue
            }
            if array.count > 1 { array.append(0x2C) }
            array.append(line)
        }
        try take()
        return log
    }

    private struct Event: Codable {
        enum Kind: String, Codable { case cleared, overwritten }

        var event: Kind
        var records: Int
    }

    private static let eventPrefix = Data(#"{"event":"#.utf8)

    func append(_ records: some Sequence<EmulatedRecord>) throws(EmulatorError) {
        do {
            var text = Data()
            for record in records {
                text.append(try encoder.encode(record))
                text.append(0x0A)
            }
            try handle.seekToEnd()
            try handle.write(contentsOf: text)
        } catch {
            throw EmulatorError("cannot write the truth file: \(error)")
        }
    }

    /// The terminal's log was cleared.
    /// - Parameter count: of the records that it held.
    func clear(_ count: Int) throws(EmulatorError) { try append(Event(event: .cleared, records: count)) }

    /// The oldest records gave way to new ones, which have been appended.
    func overwrite(_ count: Int) throws(EmulatorError) { try append(Event(event: .overwritten, records: count)) }

    private func append(_ event: Event) throws(EmulatorError) {
        do {
            try handle.seekToEnd()
            try handle.write(contentsOf: try encoder.encode(event) + [0x0A])
        } catch {
            throw EmulatorError("cannot write the truth file: \(error)")
        }
    }
}

/// What stops an emulator.
public struct EmulatorError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
