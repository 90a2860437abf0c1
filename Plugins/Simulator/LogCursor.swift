internal import DeviceKit

/// How far a simulated log has been read, as text: `1 SIM-0A1B2C3D 29601234 5`.
///
/// The version comes first, then the serial number of the log that the place belongs to, then the place.
struct LogCursor: Sendable, Hashable {
    static let version = "1"

    let serialNumber: String
    let position: SimulatedLog.Position

    init(serialNumber: String, position: SimulatedLog.Position) {
        self.serialNumber = serialNumber
        self.position = position
    }

    /// - Throws: ``DeviceFault/Code/unsupported`` for bytes that this version of the driver did not write.
    init(_ cursor: Cursor) throws(DeviceFault) {
        let words = String(decoding: cursor.bytes, as: UTF8.self).split(separator: " ")
        guard words.count == 4, words[0] == Self.version, let minute = Int64(words[2]), let index = Int(words[3]),
            // A year that no clock shows would make the reader walk for ever.
            (0...4_102_444_800 / 60).contains(minute), index >= 0
        else {
            throw DeviceFault(
                .unsupported, "the stored place in the log was written by another version of the simulator driver")
        }
        serialNumber = String(words[1])
        position = SimulatedLog.Position(minute: minute, index: index)
    }

    var cursor: Cursor? {
        Cursor(bytes: Array("\(Self.version) \(serialNumber) \(position.minute) \(position.index)".utf8))
    }
}
