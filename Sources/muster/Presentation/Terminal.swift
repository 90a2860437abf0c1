internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// What is known of the terminal that a person sits at.
enum Terminal {
    static var isOutput: Bool { isatty(STDOUT_FILENO) == 1 }
    static var isError: Bool { isatty(STDERR_FILENO) == 1 }
    static var isInput: Bool { isatty(STDIN_FILENO) == 1 }

    /// Colour for people only, and not for those who do not want it (no-color.org).
    static var hasColour: Bool {
        let environment = ProcessInfo.processInfo.environment
        return isOutput && environment["NO_COLOR"] == nil && environment["TERM"] != "dumb"
    }

    /// Columns of the terminal; `nil` when the output goes elsewhere.
    static var width: Int? {
        if let text = ProcessInfo.processInfo.environment["COLUMNS"], let columns = Int(text), columns >= 20 {
            return columns
        }
        var size = winsize()
        guard isOutput, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 20 else { return nil }
        return Int(size.ws_col)
    }
}

/// The program's results. A reader that went away ends the program quietly, as it ends any other filter: networking
/// turns the signal for that off.
enum StandardOutput {
    static func write(_ text: String) {
        if !Descriptor.write(text, to: STDOUT_FILENO), errno == EPIPE { exit(0) }
    }
}

/// Messages for people. Nobody may be reading them.
enum StandardError {
    static func write(_ text: String) { _ = Descriptor.write(text, to: STDERR_FILENO) }
}

private enum Descriptor {
    /// Writes all of `text`; false, with `errno` set, when the descriptor takes no more.
    static func write(_ text: String, to descriptor: Int32) -> Bool {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let written = bytes[offset...].withUnsafeBytes { rest in
                writeOnce(descriptor, rest.baseAddress, rest.count)
            }
            if written < 0, errno == EINTR { continue }
            if written <= 0 { return false }
            offset += written
        }
        return true
    }

    private static func writeOnce(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
            Glibc.write(descriptor, bytes, count)
        #else
            Darwin.write(descriptor, bytes, count)
        #endif
    }
}
