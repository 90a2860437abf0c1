internal import DeviceKit
internal import Dispatch
internal import Journal
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc

    /// Hears from the system what happens in directories (inotify).
    final class DirectoryWatch: Sendable {
        struct Event: Sendable, Hashable {
            /// The file's name in its directory; empty for the directory itself and for a lost event.
            var name: String
            /// It was written and is still open.
            var isUnfinished: Bool
        }

        /// Ends when the watch is closed.
        let events: AsyncStream<Event>
        private let descriptor: CInt
        /// Unsafe in name only: the library does not say that its sources may be cancelled from any thread.
        private nonisolated(unsafe) let source: any DispatchSourceRead
        private let state = Mutex(State())

        private struct State {
            var watches: [String: CInt] = [:]
        }

        private static let interest =
            IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB
            | IN_DELETE_SELF | IN_MOVE_SELF

        /// `nil` where the system has none left; somebody then has to look from time to time.
        init?() {
            descriptor = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))
            guard descriptor >= 0 else { return nil }
            let descriptor = descriptor
            let (events, post) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(10_000))
            self.events = events
            source = DispatchSource.makeReadSource(
                fileDescriptor: descriptor, queue: DispatchQueue(label: "muster.files"))
            source.setEventHandler { for event in Self.read(descriptor) { post.yield(event) } }
            source.setCancelHandler {
                Glibc.close(descriptor)
                post.finish()
            }
            source.resume()
        }

        deinit { source.cancel() }

        func close() { source.cancel() }

        /// Watches these directories and no others. Those that are not there are left out.
        func watch(_ directories: Set<String>) {
            state.withLock { state in
                for (path, watch) in state.watches where !directories.contains(path) {
                    inotify_rm_watch(descriptor, watch)
                    state.watches[path] = nil
                }
                // Also known ones: a directory that was replaced has another inode.
                for path in directories {
                    let watch = inotify_add_watch(descriptor, path, UInt32(Self.interest))
                    state.watches[path] = watch >= 0 ? watch : nil
                }
            }
        }

        private static func read(_ descriptor: CInt) -> [Event] {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            var events: [Event] = []
            while true {
                let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
                guard count > 0 else { return events }
                events += decode(bytes.prefix(count))
            }
        }

        /// `struct inotify_event`: watch i32, mask u32, cookie u32, length u32, name padded with zeros.
        static func decode(_ bytes: ArraySlice<UInt8>) -> [Event] {
            var events: [Event] = []
            var reader = ByteReader(bytes)
            while (try? reader.u32()) != nil, let mask = try? reader.u32(), (try? reader.u32()) != nil,
                let length = try? reader.u32(), let name = try? reader.take(Int(length))
            {
                let text = String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
                events.append(Event(name: text, isUnfinished: mask & UInt32(IN_MODIFY) != 0))
            }
            return events
        }
    }
#else
    /// Not on this system: somebody has to look from time to time.
    final class DirectoryWatch: Sendable {
        struct Event: Sendable, Hashable {
            var name: String
            var isUnfinished: Bool
        }

        let events = AsyncStream<Event> { $0.finish() }
        init?() { return nil }
        func close() {}
        func watch(_ directories: Set<String>) {}
    }
#endif
