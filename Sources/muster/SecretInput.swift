internal import DeviceKit
internal import Foundation
internal import Secrets

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A secret from a person or from a pipe.
enum SecretInput {
    static func value(of name: SecretName) throws -> Secret {
        guard Terminal.isInput else { return Secret(try piped()) }
        let first = try prompt("Value of \(name) (is not shown): ")
        guard try prompt("Once more: ") == first else {
            throw Failure(Exit.usage, "the two values differ: nothing was changed")
        }
        return Secret(first)
    }

    /// All of standard input, without its last line break.
    private static func piped() throws -> String {
        var bytes: [UInt8] = []
        let limit = SecretVault.maximumValueByteCount + 2
        while bytes.count <= limit, let chunk = try? FileHandle.standardInput.read(upToCount: limit), !chunk.isEmpty {
            bytes += chunk
        }
        if bytes.last == 0x0A { bytes.removeLast() }
        if bytes.last == 0x0D { bytes.removeLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(Exit.usage, "the value is not UTF-8 text: secrets are text")
        }
        return text
    }

    private static func prompt(_ question: String) throws -> String {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else {
            throw Failure(Exit.usage, "the terminal cannot hide what is typed: give the value on standard input")
        }
        var hidden = before
        // Without signals: Ctrl-C would leave the terminal mute.
        hidden.c_lflag &= ~tcflag_t(ECHO | ISIG)
        hidden.c_lflag |= tcflag_t(ECHONL)
        StandardError.write(question)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        defer { tcsetattr(STDIN_FILENO, TCSANOW, &before) }
        guard let line = readLine(), !line.contains("\u{3}") else {
            throw Failure(Exit.usage, "no value was given: nothing was changed")
        }
        return line
    }
}
