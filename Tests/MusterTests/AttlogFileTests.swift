import DeviceKit
import Testing

@testable import muster

/// The lines are written after the description of the USB layout; no file of a real terminal is among them.
@Suite("attlog.dat")
struct AttlogFileTests {
    private func file(_ lines: [String]) -> AttlogFile { AttlogFile(Array(lines.joined(separator: "\r\n").utf8)) }

    @Test("reads user id, time, state, verification and work code of the USB layout")
    func usbLayout() throws {
        let file = file([
            "     1042\t2026-11-24 08:01:02\t1\t0\t15\t0", "        7\t2026-11-24 17:30:00\t1\t1\t1\t12", "",
        ])
        #expect(file.layout == .usb)
        #expect(file.unreadable.isEmpty)
        let records = file.records.map(\.record)
        #expect(records.map(\.code) == ["1042", "7"])
        #expect(records.map(\.localTime.description) == ["2026-11-24 08:01:02", "2026-11-24 17:30:00"])
        #expect(records.map(\.direction) == [Direction(.in, raw: 0), Direction(.out, raw: 1)])
        #expect(records.map(\.verification) == [Verification(.face, raw: 15), Verification(.fingerprint, raw: 1)])
        #expect(records.map(\.workCode) == [nil, "12"])
    }

    @Test("takes lines without a device number for a push log")
    func pushLayout() {
        let file = file([
            "1042\t2026-11-24 08:01:02\t0\t15\t0\t0\t0", "7\t2026-11-24 17:30:00\t1\t1\t0\t0\t0",
        ])
        #expect(file.layout == .push)
        #expect(file.records.map(\.record.direction.kind) == [.in, .out])
        #expect(file.records.map(\.record.verification.kind) == [.face, .fingerprint])
    }

    @Test("tells a push log in which everybody comes in from a terminal with the number 0")
    func constantThirdColumn() {
        let push = file(["1\t2026-11-24 08:00:00\t0\t15\t0", "2\t2026-11-24 08:00:01\t0\t1\t0"])
        #expect(push.layout == .push)
        #expect(push.records.map(\.record.verification.raw) == [15, 1])
        let usb = file(["1\t2026-11-24 08:00:00\t0\t0\t15\t0", "2\t2026-11-24 17:00:00\t0\t1\t1\t0"])
        #expect(usb.layout == .usb)
        #expect(usb.records.map(\.record.verification.raw) == [15, 1])
    }

    @Test("leaves out the serial number and the checksum of old models")
    func extendedForm() {
        let file = file([
            "0123456789012", "1\t2026-11-24 08:00:00\t1\t0\t1\t0", "2\t2026-11-24 08:00:05\t1\t0\t1\t0", "48211",
        ])
        #expect(file.serialNumber == "0123456789012")
        #expect(file.records.map(\.record.code) == ["1", "2"])
        #expect(file.unreadable.isEmpty)
    }

    @Test("names the lines that it cannot read and reads the others")
    func unreadableLines() {
        let file = file([
            "1\t2026-11-24 08:00:00\t1\t0\t1\t0", "2\t2026-13-24 08:00:00\t1\t0\t1\t0", "garbage",
            "\t2026-11-24 08:00:00\t1\t0\t1\t0", "3\t2026-11-24 08:00:09\t1\t0\t1\t0",
        ])
        #expect(file.records.map(\.lineNumber) == [1, 5])
        #expect(file.unreadable.map(\.number) == [2, 3, 4])
    }

    @Test("reads lines that have two columns only")
    func twoColumns() {
        let file = file(["1\t2026-11-24 08:00:00", "2\t2026-11-24 08:00:05"])
        #expect(file.records.map(\.record.code) == ["1", "2"])
        #expect(file.records.map(\.record.direction.kind) == [.unknown, .unknown])
    }

    @Test("is unknown without a single time", arguments: ["", "hello", "a\tb\tc\n", "\u{0}\u{0}\u{0}"])
    func noAttlog(text: String) {
        #expect(AttlogFile(Array(text.utf8)).layout == .unknown)
    }

    @Test("no bytes end the program")
    func anyBytes() {
        var random = SplitMix64(seed: 11)
        let alphabet: [UInt8] = Array("0123456789-: \t\r\n".utf8) + [0, 0x80, 0xFF]
        for _ in 0..<2_000 {
            let count = Int.random(in: 0...200, using: &random)
            let file = AttlogFile((0..<count).map { _ in alphabet.randomElement(using: &random) ?? 0 })
            #expect(file.records.count + file.unreadable.count <= count)
        }
    }
}
