import DeviceKit

/// Rules between devices.
enum ConflictChecks {
    /// A terminal takes one connection: two devices at one address would push each other out.
    static func sharedAddresses(_ drafts: [DeviceDraft]) -> [Diagnostic] {
        var owners: [String: DeviceDraft] = [:]
        var found: [Diagnostic] = []
        for draft in drafts where draft.device?.isEnabled ?? true {
            guard let manifest = draft.driver?.manifest, let settings = draft.settings, let key = manifest.addressKey,
                let address = settings.text(key), address != SettingsSchema.redacted
            else { continue }
            let port = manifest.portKey.flatMap { settings.text($0) }
            let place = (port.map { "\(address):\($0)" } ?? address).lowercased()
            guard let owner = owners[place] else {
                owners[place] = draft
                continue
            }
            found +=
                settings.error(
                    key, "\(place) is the address of device '\(owner.name)' too, at \(owner.mark)",
                    code: "shared-address",
                    hint: "one of the two is a copy; disable it with enabled: false or change its address"
                ).diagnostics
        }
        return found
    }

    /// Somebody who configures a sink and forgets to name it would wait for punches in vain.
    static func unusedSinks(_ sinks: [(name: String, mark: SourceMark)], devices: [DeviceDraft]) -> [Diagnostic] {
        let used = Set(devices.flatMap(\.sinks))
        return sinks.filter { !used.contains($0.name) }.map { sink in
            Diagnostic(
                .warning, code: "unused-sink", at: sink.mark, path: "sinks.\(sink.name)",
                "no device delivers to this sink", hint: "name it under sinks: of a device or of defaults:")
        }
    }
}
