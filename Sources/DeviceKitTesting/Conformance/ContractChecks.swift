internal import DeviceKit

// What a driver says of itself.
extension DriverConformance {
    func checkManifest() async throws(Verdict) -> String {
        let manifest = Driver.manifest
        let isName = manifest.id.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D
        }
        try require(isName && !manifest.id.isEmpty, "the id '\(manifest.id)' is not lower-case letters, digits and -")
        let parts = manifest.version.split(separator: ".", omittingEmptySubsequences: false)
        try require(
            parts.count == 3 && parts.allSatisfy { UInt32($0) != nil }, "'\(manifest.version)' is no version x.y.z")
        try require(manifest.summary.hasSuffix("."), "the summary '\(manifest.summary)' is no sentence")
        try require(
            manifest.kitVersion == DriverManifest.currentKitVersion, "it was made for kit \(manifest.kitVersion)")
        try require(!manifest.intakes.isEmpty, "it has no intake")
        for key in [manifest.addressKey, manifest.portKey].compactMap({ $0 }) {
            try require(Driver.Settings.schema.keys.contains(key), "its schema has no key '\(key)'")
        }
        try await checkPromises(of: manifest)
        let abilities = manifest.intakes.map(\.rawValue) + manifest.capabilities.map(\.rawValue)
        return "\(manifest.id) \(manifest.version): \(abilities.sorted().joined(separator: ", "))"
    }

    private func checkPromises(of manifest: DriverManifest) async throws(Verdict) {
        let rig = try await makeRig()
        let session = try await rig.open()
        let abilities: [(name: String, promised: Bool, real: Bool)] =
            [
                ("polling", manifest.intakes.contains(.polling), session is any PollingSession),
                ("capturing", manifest.intakes.contains(.capturing), session is any CapturingSession),
            ]
            + Capability.allCases.map {
                ($0.rawValue, manifest.capabilities.contains($0), $0.isOffered(by: session))
            }
        try await rig.close(session)
        for ability in abilities where ability.promised != ability.real {
            let what = ability.promised ? "promises \(ability.name), the session lacks it" : "hides \(ability.name)"
            throw .failed("the manifest \(what)")
        }
    }

    func checkSettings() throws(Verdict) -> String {
        let settings = Driver.Settings.schema.settings.map(\.documentation)
        for setting in settings {
            try require(setting.summary.hasSuffix("."), "\(setting.key): '\(setting.summary)' is no sentence")
            try require(
                setting.example != nil || setting.defaultValue != nil, "\(setting.key) has no example and no default")
            let name = setting.key.lowercased()
            let looksSecret = ["password", "secret", "token", "passphrase"].contains { name.contains($0) }
            try require(
                !looksSecret || setting.isSecret, "\(setting.key) looks like a secret and is not declared as one")
        }
        return "\(settings.count) settings"
    }

    func checkPureInit() async throws(Verdict) -> String {
        let rig = try await makeRig()
        await letOthersRun()
        let count = rig.instruments.operationCount
        try require(count == 0, "init slept, connected or sent: \(count) operations before open")
        return "no operation before open"
    }

    func require(_ condition: Bool, _ evidence: @autoclosure () -> String) throws(Verdict) {
        if !condition { throw .failed(evidence()) }
    }
}
