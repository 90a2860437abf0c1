import DeviceKit
import Foundation
import Testing

@testable import Secrets

@Suite("The vault of secrets")
struct SecretVaultTests {
    private static let noon = Instant(secondsSince1970: 1_764_072_000)

    /// Runs `body` in a new directory that is removed afterwards.
    private func inDirectory(_ body: (URL) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("vault-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(directory)
    }

    private func vault(_ directory: URL, credentials: URL? = nil) -> SecretVault {
        SecretVault(directory: directory.path, credentialsDirectory: credentials?.path)
    }

    private func name(_ text: String) throws -> SecretName { try #require(SecretName(text)) }

    private func mode(_ file: URL) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int)
    }

    private func problem(_ body: () throws -> Void) -> SecretError? {
        do {
            try body()
            return nil
        } catch {
            return error as? SecretError
        }
    }

    @Test("gives back what was kept, and forgets what was removed")
    func roundTrip() throws {
        try inDirectory { directory in
            let vault = vault(directory)
            for value in ["0", "hunter2", "Grüße, 世界", String(repeating: "x", count: 16_384), "two\nlines"] {
                try vault.set(try name("door"), to: Secret(value), at: Self.noon)
                #expect(try self.vault(directory).value(of: "door").reveal() == value)
            }
            #expect(try vault.set(try name("mail"), to: Secret("a"), at: Self.noon) == false)
            #expect(try vault.set(try name("mail"), to: Secret("b"), at: Self.noon) == true)
            #expect(try vault.list().map(\.name.text) == ["door", "mail"])
            #expect(try vault.list().first?.changed == Self.noon.description)
            try vault.remove(try name("door"))
            let gone = problem { _ = try vault.value(of: "door") }
            #expect(gone?.kind == .missing)
            #expect(try vault.value(of: "mail").reveal() == "b")
        }
    }

    @Test("writes files that only their owner may read, none of them with a value in clear")
    func files() throws {
        try inDirectory { directory in
            try vault(directory).set(try name("door"), to: Secret("hunter2-hunter2"), at: Self.noon)
            let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
            #expect(files == ["secrets.json", "secrets.key", "secrets.lock"])
            for file in files {
                let url = directory.appendingPathComponent(file)
                #expect(try mode(url) == 0o600, "\(file)")
                let bytes = try Data(contentsOf: url)
                #expect(bytes.range(of: Data("hunter2".utf8)) == nil)
                #expect(bytes.range(of: Data(Data("hunter2-hunter2".utf8).base64EncodedString().utf8)) == nil)
            }
        }
    }

    @Test("seals the same value differently each time")
    func nonces() throws {
        try inDirectory { directory in
            let vault = vault(directory)
            for each in ["a", "b"] { try vault.set(try name(each), to: Secret("same"), at: Self.noon) }
            let file = try SecretFile.decode(Array(Data(contentsOf: URL(fileURLWithPath: vault.path))), path: "")
            #expect(file.secrets["a"]?.sealed != file.secrets["b"]?.sealed)
        }
    }

    @Test("opens a value under its own name only, and under its own key only")
    func binding() throws {
        try inDirectory { directory in
            let vault = vault(directory)
            try vault.set(try name("mine"), to: Secret("one"), at: Self.noon)
            try vault.set(try name("yours"), to: Secret("two"), at: Self.noon)
            let url = URL(fileURLWithPath: vault.path)
            var file = try SecretFile.decode(Array(Data(contentsOf: url)), path: "")
            let mine = file.secrets["mine"]
            file.secrets["mine"] = file.secrets["yours"]
            file.secrets["yours"] = mine
            try Data(file.encoded()).write(to: url)
            let error = problem { _ = try vault.value(of: "mine") }
            #expect(error?.kind == .file)
            #expect(error?.hint == "set it again: muster secret set mine")

            try FileManager.default.removeItem(at: directory.appendingPathComponent("secrets.key"))
            let keyless = problem { _ = try vault.value(of: "yours") }
            #expect(keyless?.kind == .key)
            let new = try name("new")
            let unsealed = problem { try vault.set(new, to: Secret("x"), at: Self.noon) }
            #expect(unsealed?.message.contains("is missing") == true)
            try Data(SecretKey().line).write(to: directory.appendingPathComponent("secrets.key"))
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: directory.appendingPathComponent("secrets.key").path)
            let wrong = problem { _ = try vault.value(of: "yours") }
            #expect(wrong?.kind == .key)
            #expect(wrong?.message.contains("another key") == true)
        }
    }

    @Test("notices every changed bit of a sealed value")
    func damage() throws {
        let key = SecretKey()
        let context = SecretFile.context(try name("door"))
        let sealed = try #require(key.seal("hunter2", context: context))
        #expect(key.open(sealed, context: context) == "hunter2")
        for index in sealed.indices {
            for bit in 0..<8 {
                var broken = sealed
                broken[index] ^= 1 << UInt8(bit)
                #expect(key.open(broken, context: context) == nil)
            }
        }
        for count in 0..<sealed.count { #expect(key.open(sealed.prefix(count), context: context) == nil) }
    }

    @Test("says which file is damaged and what to do", arguments: ["", "{", "[]", "{}", "null", "\u{0}\u{1}\u{2}"])
    func damagedFile(text: String) throws {
        try inDirectory { directory in
            let vault = vault(directory)
            try vault.set(try name("door"), to: Secret("x"), at: Self.noon)
            try Data(text.utf8).write(to: URL(fileURLWithPath: vault.path))
            for each in [
                problem({ _ = try vault.value(of: "door") }),
                problem({ _ = try vault.list() }),
            ] {
                #expect(each?.kind == .file)
                #expect(each?.message.contains("secrets.json is damaged") == true)
                #expect(each?.hint.contains("muster secret set") == true)
            }
        }
    }

    @Test("leaves the file of a newer version alone")
    func newerVersion() throws {
        try inDirectory { directory in
            let vault = vault(directory)
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            let text = #"{"format": "muster-secrets", "version": 2, "vaults": []}"#
            try Data(text.utf8).write(to: URL(fileURLWithPath: vault.path))
            let door = try name("door")
            let error = problem {
                try vault.set(door, to: Secret("x"), at: Self.noon)
            }
            #expect(error?.message.contains("has version 2, this muster knows version 1") == true)
            #expect(try String(contentsOfFile: vault.path, encoding: .utf8) == text)
        }
    }

    @Test("refuses a key that others can read, and says how to mend it", arguments: [0o640, 0o604, 0o666, 0o660])
    func openKey(mode: Int) throws {
        try inDirectory { directory in
            let vault = vault(directory)
            try vault.set(try name("door"), to: Secret("x"), at: Self.noon)
            let key = directory.appendingPathComponent("secrets.key").path
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: key)
            let error = problem { _ = try vault.value(of: "door") }
            #expect(error?.kind == .key)
            #expect(error?.message.contains("(mode \(String(mode, radix: 8)))") == true)
            #expect(error?.hint.hasPrefix("chmod 600 \(key)") == true)
        }
    }

    @Test("takes the credential of systemd in the place of the key file")
    func credential() throws {
        try inDirectory { directory in
            let credentials = directory.appendingPathComponent("credentials")
            try FileManager.default.createDirectory(at: credentials, withIntermediateDirectories: true)
            try Data(SecretKey().line).write(to: credentials.appendingPathComponent("muster-key"))
            let data = directory.appendingPathComponent("data")
            try vault(data, credentials: credentials).set(try name("door"), to: Secret("x"), at: Self.noon)
            #expect(!FileManager.default.fileExists(atPath: data.appendingPathComponent("secrets.key").path))
            #expect(try vault(data, credentials: credentials).value(of: "door").reveal() == "x")
            let error = problem { _ = try vault(data).value(of: "door") }
            #expect(error?.hint.contains("LoadCredential=muster-key") == true)
            try Data("not a key".utf8).write(to: credentials.appendingPathComponent("muster-key"))
            let damaged = problem {
                _ = try self.vault(data, credentials: credentials).value(of: "door")
            }
            #expect(damaged?.kind == .key)
        }
    }

    @Test("names a secret that is nearly the one that was asked for")
    func nearName() throws {
        try inDirectory { directory in
            let vault = vault(directory)
            let unknown = problem { _ = try vault.value(of: "door") }
            #expect(unknown?.hint == "muster secret set door")
            try vault.set(try name("front-door"), to: Secret("x"), at: Self.noon)
            let error = problem { _ = try vault.value(of: "frontdoor") }
            #expect(error?.kind == .missing)
            #expect(error?.hint == "did you mean 'front-door'?")
        }
    }

    @Test("refuses values that cannot be kept")
    func values() throws {
        try inDirectory { directory in
            let name = try name("a")
            for value in ["", "a\u{0}b", String(repeating: "x", count: 16_385)] {
                let error = problem {
                    try self.vault(directory).set(name, to: Secret(value), at: Self.noon)
                }
                #expect(error?.kind == .value)
            }
            #expect(!FileManager.default.fileExists(atPath: directory.path))
        }
    }

    @Test(
        "names are plain", arguments: [("a", true), ("front-door.2_x", true), ("", false), ("-a", false), ("ä", false)])
    func names(text: String, isName: Bool) {
        #expect((SecretName(text) != nil) == isName)
        #expect(SecretName(String(repeating: "a", count: 65)) == nil)
        #expect(SecretName("a/b") == nil)
        #expect(SecretName("a}") == nil)
    }

    @Test("keeps what several processes set at once")
    func parallel() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("vault-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 {
                group.addTask {
                    let vault = SecretVault(directory: directory.path, credentialsDirectory: nil)
                    let name = try #require(SecretName("s\(number)"))
                    try vault.set(name, to: Secret("v\(number)"), at: Self.noon)
                }
            }
            try await group.waitForAll()
        }
        let vault = vault(directory)
        #expect(try vault.list().count == 20)
        for number in 0..<20 { #expect(try vault.value(of: "s\(number)").reveal() == "v\(number)") }
    }
}
