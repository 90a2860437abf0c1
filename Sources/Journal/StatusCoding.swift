internal import DeviceKit
internal import Foundation

/// A device's status as JSON text, so that a field can be added without a schema version.
enum StatusCoding {
    private struct Stored: Codable {
        var state: String
        var connected: Bool
        var serialNumber: String?
        var registrationNumber: String?
        var model: String?
        var firmware: String?
        var macAddress: String?
        var recordCount: Int?
        var recordCapacity: Int?
        var peopleCount: Int?
        var lastPollAt: Instant?
        var lastError: String?
        var lastErrorAt: Instant?
        var failuresInARow: Int
        var realtimeEnabled: Bool
        var realtimeDisabledAt: Instant?
        var clockDriftMilliseconds: Int64?
        var clockReadAt: Instant?
        var clockSetAt: Instant?
        var completeThrough: Instant?
        var gapFrom: Instant?
        var gapUntil: Instant?
        var readEpoch: Int?
        var acceptedSerial: String?
        var heldSerial: String?
        var conditions: [Condition]?
        var updatedAt: Instant
    }

    private struct Condition: Codable {
        var code: String
        var message: String
        var severity: String
        var since: Instant
    }

    static func encode(_ status: DeviceStatus) -> String {
        let stored = Stored(
            state: status.state, connected: status.isConnected, serialNumber: status.identity.serialNumber,
            registrationNumber: status.identity.registrationNumber, model: status.identity.model,
            firmware: status.identity.firmware, macAddress: status.identity.macAddress,
            recordCount: status.inventory?.recordCount, recordCapacity: status.inventory?.recordCapacity,
            peopleCount: status.inventory?.peopleCount, lastPollAt: status.lastPollAt, lastError: status.lastError,
            lastErrorAt: status.lastErrorAt, failuresInARow: status.failuresInARow,
            realtimeEnabled: status.isRealtimeEnabled, realtimeDisabledAt: status.realtimeDisabledAt,
            clockDriftMilliseconds: status.clockDrift?.wholeMilliseconds, clockReadAt: status.clockReadAt,
            clockSetAt: status.clockSetAt, completeThrough: status.completeThrough, gapFrom: status.gap?.from,
            gapUntil: status.gap?.until, readEpoch: status.readEpoch,
            acceptedSerial: status.acceptedSerial, heldSerial: status.heldSerial,
            conditions: status.conditions.all.map(stored), updatedAt: status.updatedAt)
        // Strings, numbers and dates of this program always encode.
        return (try? JSONEncoder().encode(stored)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    /// `nil` for text that another version wrote and this one cannot read.
    static func decode(_ text: String, device: DeviceID) -> DeviceStatus? {
        guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(text.utf8)) else { return nil }
        var status = DeviceStatus(device: device, state: stored.state, updatedAt: stored.updatedAt)
        status.isConnected = stored.connected
        status.identity = DeviceIdentity(
            serialNumber: stored.serialNumber, registrationNumber: stored.registrationNumber, model: stored.model,
            firmware: stored.firmware, macAddress: stored.macAddress)
        if stored.recordCount != nil || stored.recordCapacity != nil || stored.peopleCount != nil {
            status.inventory = LogInventory(
                recordCount: stored.recordCount, recordCapacity: stored.recordCapacity,
                peopleCount: stored.peopleCount)
        }
        status.lastPollAt = stored.lastPollAt
        status.lastError = stored.lastError
        status.lastErrorAt = stored.lastErrorAt
        status.failuresInARow = stored.failuresInARow
        status.isRealtimeEnabled = stored.realtimeEnabled
        status.realtimeDisabledAt = stored.realtimeDisabledAt
        status.clockDrift = stored.clockDriftMilliseconds.map { .milliseconds($0) }
        status.clockReadAt = stored.clockReadAt
        status.clockSetAt = stored.clockSetAt
        status.completeThrough = stored.completeThrough
        if let from = stored.gapFrom, let until = stored.gapUntil {
            status.gap = StatusGap(from: from, until: until)
        }
        status.readEpoch = stored.readEpoch
        status.acceptedSerial = stored.acceptedSerial
        status.heldSerial = stored.heldSerial
        status.conditions = DeviceConditions((stored.conditions ?? []).compactMap(condition))
        return status
    }

    private static func stored(_ condition: DeviceCondition) -> Condition {
        Condition(
            code: condition.code.rawValue, message: condition.message, severity: condition.severity.rawValue,
            since: condition.since)
    }

    /// `nil` for a condition that only another version knows.
    private static func condition(_ stored: Condition) -> DeviceCondition? {
        guard let code = DeviceCondition.Code(rawValue: stored.code) else { return nil }
        return DeviceCondition(
            code, stored.message, severity: DeviceCondition.Severity(rawValue: stored.severity), since: stored.since)
    }
}
