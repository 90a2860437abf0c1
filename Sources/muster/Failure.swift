internal import ArgumentParser
internal import DeviceKit
internal import Journal

/// The exit codes of sysexits that this program uses.
enum Exit {
    static let usage = ExitCode(64)
    static let unavailable = ExitCode(69)
    static let software = ExitCode(70)
    static let ioError = ExitCode(74)
    static let tryAgain = ExitCode(75)
    static let refused = ExitCode(77)
    static let configuration = ExitCode(78)
}

/// Ends the command with a sentence on standard error and a code that scripts can tell apart.
struct Failure: Error {
    let message: String
    let code: ExitCode

    init(_ code: ExitCode, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: JournalError) {
        let code: ExitCode =
            switch error.kind {
            case .unavailable, .full: Exit.tryAgain
            case .missing: Exit.unavailable
            case .newerSchema: Exit.configuration
            case .fatal: Exit.ioError
            }
        self.init(code, error.message)
    }

    /// What a fault of a device means to a script.
    static func code(for fault: DeviceFault) -> ExitCode {
        switch fault.kind {
        case .transient, .cancelled: Exit.tryAgain
        case .authentication: Exit.refused
        case .permanent: Exit.configuration
        case .protocolViolation: Exit.unavailable
        case .request: fault.code == .rejected ? Exit.refused : Exit.usage
        }
    }
}

/// Runs the body of a command and turns its errors into sentences and exit codes.
func reporting(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let failure as Failure {
        StandardError.write("error: \(failure.message)\n")
        throw failure.code
    } catch let error as JournalError {
        let failure = Failure(error)
        StandardError.write("error: \(failure.message)\n")
        throw failure.code
    } catch let error as SinkFault {
        StandardError.write("error: \(error.message)\n")
        throw Exit.configuration
    }
}
