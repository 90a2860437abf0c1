extension Punch {
    /// The punch as users and sinks see it. The keys and their order are stable:
    /// `device, code, time` (RFC 3339, UTC), `local_time, direction, verification, work_code, source, received_at,
    /// is_valid, notes, raw`. The raw numbers of direction and verification are `direction_raw` and
    /// `verification_raw`.
    public var json: RawJSON {
        var writer = JSONObjectWriter(capacity: 512)
        writer.member("device", device.name)
        writer.member("code", code)
        writer.member("time", time.description)
        writer.member("local_time", localTime.iso8601)
        writer.member("direction", record.direction.kind.rawValue)
        writer.member("direction_raw", record.direction.raw)
        writer.member("verification", record.verification.kind.rawValue)
        writer.member("verification_raw", record.verification.raw)
        writer.member("work_code", record.workCode)
        writer.member("source", source.rawValue)
        writer.member("received_at", receivedAt.description)
        writer.member("is_valid", isValid)
        writer.member("notes", notes)
        writer.member("raw", record.raw)
        return writer.finish()
    }
}
