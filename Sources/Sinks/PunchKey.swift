internal import Crypto
internal import DeviceKit
internal import Web

/// A short name for a punch that is the same in every delivery: an idempotency key for the target.
enum PunchKey {
    /// `punch_` and 32 hexadecimal digits of a SHA-256 over device, code and time.
    static func of(_ punch: Punch) -> String {
        var hash = SHA256()
        for part in [punch.device.name, punch.code, String(punch.time.millisecondsSince1970)] {
            hash.update(data: Array(part.utf8))
            hash.update(data: [0])
        }
        return "punch_" + Hexadecimal.text(hash.finalize().prefix(16))
    }

    /// The same for a batch: of its punches in their order.
    static func of(_ keys: [String]) -> String {
        var hash = SHA256()
        for key in keys { hash.update(data: Array(key.utf8)) }
        return "batch_" + Hexadecimal.text(hash.finalize().prefix(16))
    }
}
