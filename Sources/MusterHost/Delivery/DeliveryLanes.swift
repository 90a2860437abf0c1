internal import DeviceKit
internal import Journal

/// Where a sink stands in the journal, and what it reads next.
///
/// Most devices follow the sink's one position. A device that was attached later begins at its oldest punch in a lane
/// of its own; lanes that are behind are served first, the one that is furthest behind before all, until they have
/// caught up. So nothing is skipped, and from then on the sink is served in journal order.
struct DeliveryLanes: Sendable, Equatable {
    /// A stretch of the journal.
    struct Stretch: Sendable, Equatable {
        let after: Int64
        /// `nil`: to the end of the journal.
        let through: Int64?
        let devices: Set<DeviceID>
    }

    private(set) var position: Int64
    private var following: Set<DeviceID> = []
    private var behind: [DeviceID: Int64] = [:]
    /// Lanes that changed since ``takeChanges()``.
    private var changes: [DeviceID: SinkProgress.Lane] = [:]
    private var savedPosition: Int64

    /// An idle sink stores its position again when it has looked at so many punches that are not for it.
    private static let longestUnsavedStretch: Int64 = 10_000

    /// - Parameters:
    ///   - stored: what the journal knows; `nil` for a new sink, which gets the whole journal.
    ///   - devices: those whose punches the sink gets now.
    init(_ stored: SinkProgress?, devices: Set<DeviceID>) {
        let stored = stored ?? SinkProgress()
        position = stored.position
        savedPosition = stored.position
        for device in devices {
            let own = stored.position(of: device)
            set(own >= position ? .following : .behind(own), for: device, stored: stored.lanes[device])
        }
        // A device that is taken away from the sink goes on from here if it ever comes back.
        for (device, lane) in stored.lanes where lane == .following && !devices.contains(device) {
            changes[device] = .behind(position)
        }
    }

    var next: Stretch {
        guard let lowest = behind.values.min() else {
            return Stretch(after: position, through: nil, devices: following)
        }
        let end = behind.values.filter { $0 > lowest }.min() ?? position
        return Stretch(after: lowest, through: end, devices: Set(behind.filter { $0.value == lowest }.keys))
    }

    /// Every punch of a stretch up to `end` is delivered or needs no delivery.
    mutating func serve(_ stretch: Stretch, to end: Int64) {
        guard stretch.through != nil else {
            position = max(position, end)
            return
        }
        for device in stretch.devices {
            set(end >= position ? .following : .behind(end), for: device, stored: nil)
        }
    }

    /// Something changed that is worth a write of its own.
    var isWorthSaving: Bool { !changes.isEmpty || position - savedPosition >= Self.longestUnsavedStretch }

    /// What has changed since the last call, to be stored.
    mutating func takeChanges(delivered: Int, rejected: [Delivery.Rejection]) -> SinkDelivery {
        defer {
            changes = [:]
            savedPosition = position
        }
        return SinkDelivery(position: position, lanes: changes, delivered: delivered, rejected: rejected)
    }

    private mutating func set(_ lane: SinkProgress.Lane, for device: DeviceID, stored: SinkProgress.Lane?) {
        switch lane {
        case .following:
            following.insert(device)
            behind[device] = nil
        case .behind(let own):
            behind[device] = own
        }
        if lane != stored { changes[device] = lane }
    }
}
