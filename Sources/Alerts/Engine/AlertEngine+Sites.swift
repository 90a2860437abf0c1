import DeviceKit

// A site's link: no device tells of it, it follows from many that go away together.
extension AlertEngine {
    mutating func judgeLink(of site: String) {
        let key = AlertKey(.siteLink, .site(site))
        guard isKnown(key) else { return }
        let away = awayDevices(of: site)
        if var link = state.alerts[key], link.isActive {
            link.devices = Set(link.devices).union(away.map(\.key.subject.name)).sorted()
            state.alerts[key] = link
            judgeReturn(of: key, away: away.count)
            return
        }
        guard let last = away.map(\.since).max() else { return }
        let together = away.filter { $0.since + plan.siteLink.within >= last }
        // One that was away long before has another reason.
        let others = (sites[site]?.count ?? 0) - (away.count - together.count)
        guard together.count >= 2, together.count == others || together.count > plan.siteLink.devices else { return }
        take(
            AlertSignal(
                .siteLink, .site(site), .active(nil), together.first?.detail ?? "", since: together.map(\.since).min(),
                leastHold: together.map(hold).min()))
        state.alerts[key]?.devices = together.map(\.key.subject.name).sorted()
        state.alerts[key]?.firstBackAt = nil
    }

    /// Devices come back one after the other: the link is back when all are, or when the others have had their time.
    private mutating func judgeReturn(of key: AlertKey, away: Int) {
        guard var link = state.alerts[key] else { return }
        let devices = link.devices.filter { plan.devices[$0] != nil }
        if away == 0 { return cease(key, awaitsEffect: false) }
        if away >= devices.count {
            link.firstBackAt = nil
        } else {
            link.firstBackAt = link.firstBackAt ?? now
        }
        state.alerts[key] = link
        if let first = link.firstBackAt, isDue(first + plan.siteLink.settle) { cease(key, awaitsEffect: false) }
    }

    /// Alerts of the devices that cannot be reached, for no reason of their own.
    private func awayDevices(of site: String) -> [AlertRecord] {
        (sites[site] ?? []).compactMap { name in
            let record = state.alerts[AlertKey(.deviceOffline, .device(name))]
            guard let record, record.isActive, !isMuted(record) else { return nil }
            return record
        }
    }
}
