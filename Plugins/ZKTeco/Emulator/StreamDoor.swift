internal import NIOCore

/// Whether a terminal takes TCP connections. One that refuses them has its listening socket closed, so that clients see
/// what they see of a terminal that is switched off.
struct StreamDoor {
    private var isOpen = true
    private var hasEnded = false
    private var listener: (any Channel)?
    /// Something has changed; ends with ``shut()``.
    let changes: AsyncStream<Void>
    private let announceChange: AsyncStream<Void>.Continuation

    /// - Parameter listener: `nil` for a terminal without TCP.
    init(_ listener: (any Channel)?) {
        self.listener = listener
        (changes, announceChange) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// A socket has to be opened.
    var wantsListener: Bool { isOpen && !hasEnded && listener == nil }

    mutating func keep(isOpen: Bool) {
        guard isOpen != self.isOpen else { return }
        self.isOpen = isOpen
        if !isOpen { close() }
        announceChange.yield()
    }

    /// The socket listens, unless it is too late for that.
    mutating func listen(_ listener: any Channel) {
        self.listener = listener
        if hasEnded || !isOpen { close() }
    }

    mutating func shut() {
        hasEnded = true
        close()
        announceChange.finish()
    }

    private mutating func close() {
        listener?.close(promise: nil)
        listener = nil
    }
}
