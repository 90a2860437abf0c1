internal import Foundation
internal import Journal

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Where the control socket stands: in the data directory, or, when that path is too long for a socket, in the user's
/// runtime directory under a name that is made of it.
struct ControlAddress: Sendable {
    let path: String

    /// What fits into a socket's address.
    private static let maximumByteCount = 107

    init(_ directory: DataDirectory) throws {
        let full = URL(fileURLWithPath: directory.controlSocketPath).standardizedFileURL.path
        if full.utf8.count <= Self.maximumByteCount {
            path = full
            return
        }
        let runtime = ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"] ?? "/tmp/muster-\(getuid())"
        try FileManager.default.createDirectory(
            atPath: runtime, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        var information = stat()
        guard lstat(runtime, &information) == 0, information.st_uid == getuid(), information.st_mode & 0o077 == 0 else {
            throw CocoaError(.fileWriteNoPermission, userInfo: [NSFilePathErrorKey: runtime])
        }
        // FNV-1a: short, and the same in every process.
        let key = full.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        path = "\(runtime)/muster-\(String(key, radix: 16)).sock"
    }

    /// A host made the socket, and may still be there.
    var exists: Bool { access(path, F_OK) == 0 }

    /// The lock of the data directory is ours, so a socket that is there belongs to a host that died.
    func removeStale() { unlink(path) }

    func remove() { unlink(path) }

    /// For the owner only.
    func restrict() { chmod(path, 0o600) }
}
