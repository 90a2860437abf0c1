internal import DeviceKit

/// Asks the parts that nothing works without whether they still answer.
actor Liveness {
    struct Part: Sendable {
        let name: String
        /// Returns once the part has answered.
        let ask: @Sendable () async -> Void
    }

    private let time: any TimeSource
    /// Parts whose last question is still open: they are not asked again, so that questions cannot pile up.
    private var unanswered: Set<String> = []

    init(time: any TimeSource) { self.time = time }

    /// The names of the parts that do not answer within `limit`, in order.
    func silent(_ parts: [Part], within limit: Duration) async -> [String] {
        let open = unanswered.intersection(parts.map(\.name))
        let asked = parts.filter { !open.contains($0.name) }
        unanswered.formUnion(asked.map(\.name))
        let (answers, answered) = AsyncStream.makeStream(of: String?.self)
        for part in asked {
            // Not a child task: a part that is stuck may never return. It ends with its answer.
            Task {
                await part.ask()
                note(part.name)
                answered.yield(part.name)
            }
        }
        let timer = Task { [time] in
            if (try? await time.sleep(for: limit)) != nil { answered.yield(nil) }
        }
        defer { timer.cancel() }
        var waiting = Set(asked.map(\.name))
        for await name in answers {
            guard let name else { break }
            waiting.remove(name)
            if waiting.isEmpty { break }
        }
        return waiting.union(unanswered.intersection(open)).sorted()
    }

    private func note(_ name: String) { unanswered.remove(name) }
}
