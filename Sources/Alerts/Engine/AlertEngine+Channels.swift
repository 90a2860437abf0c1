import DeviceKit

// The way of messages through channels: quiet hours, rates, failures, fallbacks.
extension AlertEngine {
    mutating func enqueue(_ message: AlertMessage, to name: String) {
        var record = state.channels[name] ?? ChannelRecord()
        record.queue.append(ChannelRecord.Queued(message: message))
        if record.queue.count > ChannelRecord.capacity {
            record.queue.removeFirst()
            record.dropped += 1
        }
        state.channels[name] = record
    }

    /// What can go now, one message for each channel that is not busy.
    mutating func sends() -> [AlertSend] {
        // What a channel hands over may concern one that comes before it.
        for channel in plan.channels { handOver(channel) }
        return plan.channels.compactMap { send($0) }
    }

    private mutating func send(_ channel: ChannelPlan) -> AlertSend? {
        guard flights[channel.name] == nil, var record = state.channels[channel.name] else { return nil }
        defer { state.channels[channel.name] = record }
        record.threads = record.threads.filter { id, _ in
            state.incidents[id] != nil || record.queue.contains { $0.message.incident == id }
        }
        guard !record.queue.isEmpty else { return nil }
        if let retryAt = record.retryAt, !isDue(retryAt) {
            record.hold(where: { _ in true })
            return nil
        }
        let isQuiet = isQuiet(channel)
        let mayGo = { (queued: ChannelRecord.Queued) in
            !isQuiet || (queued.message.breaksThrough && !channel.isQuietForCritical)
        }
        record.hold(where: { !mayGo($0) })
        let ready = record.queue.filter(mayGo)
        guard let first = ready.first else { return nil }
        guard takeToken(channel, &record) else {
            record.hold(where: { _ in true })
            return nil
        }
        let held = ready.filter(\.isHeld)
        let covers = held.count > 1 ? held.map(\.message) : [held.first?.message ?? first.message]
        let message = covers.count > 1 ? digest(covers, for: channel, dropped: record.dropped) : covers[0]
        flights[channel.name] = Flight(message: message, covers: covers)
        let thread = message.incident.flatMap { record.threads[$0] }
        return AlertSend(
            channel: channel.name, message: message, earlier: thread?.messages ?? [], reference: thread?.reference)
    }

    private mutating func isQuiet(_ channel: ChannelPlan) -> Bool {
        guard channel.quiet.contains(now, in: channel.zone) else { return false }
        if let end = channel.quiet.nextBoundary(after: now, in: channel.zone) { _ = isDue(end) }
        return true
    }

    private mutating func takeToken(_ channel: ChannelPlan, _ record: inout ChannelRecord) -> Bool {
        let perSecond = channel.rate.perSecond
        let since = max((now - (record.tokensAt ?? now)).inSeconds, 0)
        let tokens = min((record.tokens ?? Double(channel.burst)) + since * perSecond, Double(channel.burst))
        record.tokensAt = now
        guard tokens >= 1 - 1e-6 else {
            record.tokens = tokens
            let wait = perSecond > 0 ? min((1 - tokens) / perSecond, 1e9) : 1e9
            _ = isDue(now + .milliseconds(max(Int64((wait * 1_000 - 0.001).rounded(.up)), 1)))
            return false
        }
        record.tokens = max(tokens - 1, 0)
        return true
    }

    private mutating func digest(
        _ messages: [AlertMessage], for channel: ChannelPlan, dropped: Int
    ) -> AlertMessage {
        AlertText(plan, host: state.host).digest(
            messages, number: state.takeNumber(), dropped: dropped, zone: channel.zone, at: now)
    }

    // MARK: What became of it

    /// - Parameter reference: what the target calls the message, where it has names.
    public mutating func sent(_ id: String, by name: String, reference: String?, at moment: AlertMoment) {
        take([], at: moment)
        guard let flight = flights[name], flight.message.id == id, var record = state.channels[name] else { return }
        flights[name] = nil
        let covered = Set(flight.covers.map(\.id))
        record.queue.removeAll { covered.contains($0.message.id) }
        if record.isFailing { take(AlertSignal(.notificationsFailing, .channel(name), .clear(awaitsEffect: false))) }
        record.failures = 0
        record.failingSince = nil
        record.lastError = nil
        record.retryAt = nil
        record.handedOver = 0
        if flight.covers.count > 1 { record.dropped = 0 }
        record.sentCount += 1
        record.lastSentAt = now
        if let incident = flight.message.incident {
            var thread = record.threads[incident] ?? ChannelRecord.Thread(messages: [], reference: reference)
            thread.messages = Array(thread.messages.prefix(1)) + [id]
            record.threads[incident] = thread
        }
        state.channels[name] = record
        note(flight, channel: name, error: nil)
    }

    public mutating func failed(_ id: String, by name: String, _ fault: ChannelFault, at moment: AlertMoment) {
        take([], at: moment)
        guard let flight = flights[name], flight.message.id == id, var record = state.channels[name],
            let channel = plan.channels.first(where: { $0.name == name })
        else { return }
        flights[name] = nil
        // The host is stopping: the message goes after the next start.
        guard fault.kind != .cancelled else { return }
        record.failures = fault.kind == .permanent ? max(record.failures + 1, 2) : record.failures + 1
        record.failingSince = record.failingSince ?? now
        record.lastError = fault.message
        let wait = channel.retryBase * (1 << min(record.failures - 1, 12))
        record.retryAt = now + max(min(wait, ChannelPlan.retryCeiling), fault.retryAfter ?? .zero)
        state.channels[name] = record
        note(flight, channel: name, error: fault.message)
        guard record.isFailing else { return }
        take(
            AlertSignal(.notificationsFailing, .channel(name), .active(nil), fault.message, since: record.failingSince))
    }

    private mutating func note(_ flight: Flight, channel: String, error: String?) {
        for id in Set(flight.covers.compactMap(\.incident)) {
            state.incidents[id]?.note(
                Incident.Delivery(at: now, channel: channel, kind: flight.message.kind, error: error))
        }
    }

    // MARK: Fallbacks

    /// A failing channel's messages go to its fallback, unless that fails, too. The channel itself is tried again with a
    /// note of its own.
    private mutating func handOver(_ channel: ChannelPlan) {
        guard let name = channel.fallback, var record = state.channels[channel.name], record.isFailing,
            flights[channel.name] == nil, state.channels[name]?.isFailing != true,
            plan.channels.contains(where: { $0.name == name })
        else { return }
        if let retryAt = record.retryAt, isDue(retryAt) {
            // It may work again: one message shows.
            guard record.queue.isEmpty else { return }
            record.queue.append(ChannelRecord.Queued(message: probe(channel, record)))
            state.channels[channel.name] = record
            return
        }
        let waiting = record.queue.map(\.message).filter { $0.kind != .test }
        record.queue = []
        record.handedOver += waiting.count
        state.channels[channel.name] = record
        for message in waiting {
            if let id = message.incident { replace(channel.name, by: name, of: id) }
            let isKnown = state.channels[name]?.queue.contains { $0.message.id == message.id } ?? false
            let wasTold =
                message.incident.map { state.channels[name]?.threads[$0]?.messages.contains(message.id) ?? false }
                ?? false
            if !isKnown, !wasTold { enqueue(message, to: name) }
        }
    }

    private mutating func replace(_ channel: String, by fallback: String, of incident: Int64) {
        guard var receivers = state.incidents[incident]?.receivers else { return }
        // Whoever heard of it before it failed still hears of the end.
        let hasHeard = !(state.channels[channel]?.threads[incident]?.messages.isEmpty ?? true)
        if !hasHeard { receivers.removeAll { $0 == channel } }
        if !receivers.contains(fallback) { receivers.append(fallback) }
        state.incidents[incident]?.receivers = receivers
    }

    private mutating func probe(_ channel: ChannelPlan, _ record: ChannelRecord) -> AlertMessage {
        AlertText(plan, host: state.host).probe(channel, record, number: state.takeNumber(), at: now)
    }
}

extension ChannelRecord {
    /// A message of the incident has not left yet.
    func isSending(of incident: Int64) -> Bool { queue.contains { $0.message.incident == incident } }

    /// Messages that cannot go now go in a digest later.
    fileprivate mutating func hold(where isHeld: (Queued) -> Bool) {
        for index in queue.indices where isHeld(queue[index]) { queue[index].isHeld = true }
    }
}
