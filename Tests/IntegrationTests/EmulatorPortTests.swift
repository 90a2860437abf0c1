import DeviceKit
import MusterHost
import Testing
import ZKTecoEmulator

/// The emulator's listening socket.
@Suite("The port of the emulated terminal")
struct EmulatorPortTests {
    /// Whether somebody listens, asked again until it is as wanted or five seconds have passed: sockets are closed and
    /// opened by another thread.
    private static func listens(_ port: Int, wanted: Bool) async throws -> Bool {
        let endpoint = Endpoint(.tcp, host: "127.0.0.1", port: try #require(UInt16(exactly: port)))
        var listens = !wanted
        for _ in 0..<250 where listens != wanted {
            do throws(DeviceFault) {
                let transport = try await SocketDialer().connect(to: endpoint, timeout: .seconds(2))
                listens = true
                await transport.close()
            } catch {
                // A connection that was on its way in when the socket was closed breaks in other ways.
                listens = error.code == .refused ? false : !wanted
            }
            if listens != wanted { try await Task.sleep(for: .milliseconds(20)) }
        }
        return listens
    }

    /// CONNECT, from a public recording.
    private static func answers(_ transport: any Transport) async throws -> Bool {
        try await transport.send([0x50, 0x50, 0x82, 0x7D, 8, 0, 0, 0, 0xE8, 0x03, 0x17, 0xFC, 0, 0, 0, 0])
        return try await transport.receive()?.starts(with: [0x50, 0x50, 0x82, 0x7D]) ?? false
    }

    @Test("refuse-connections closes it, open connections stay, and it opens again on the same port")
    func refuses() async throws {
        var options = EmulatorOptions()
        options.port = 0
        options.records = 10
        let server = try await EmulatorServer.bind(options)
        let running = Task { try await server.run() }
        let endpoint = Endpoint(.tcp, host: "127.0.0.1", port: try #require(UInt16(exactly: server.port)))
        let old = try await SocketDialer().connect(to: endpoint, timeout: .seconds(2))
        // Answered, it is in: what still waits to be taken in is refused, too.
        #expect(try await Self.answers(old))
        for _ in 0..<2 {
            _ = await server.control("refuse-connections")
            #expect(try await Self.listens(server.port, wanted: false) == false)
            _ = await server.control("end refuse-connections")
            #expect(try await Self.listens(server.port, wanted: true))
        }
        _ = await server.control("refuse-connections")
        #expect(try await Self.listens(server.port, wanted: false) == false)
        #expect(try await Self.answers(old))
        await old.close()
        await server.stop()
        try await running.value
    }

    @Test("closes and opens while clients come and go")
    func busy() async throws {
        var options = EmulatorOptions()
        options.port = 0
        options.records = 10
        let server = try await EmulatorServer.bind(options)
        let running = Task { try await server.run() }
        let endpoint = Endpoint(.tcp, host: "127.0.0.1", port: try #require(UInt16(exactly: server.port)))
        await withDiscardingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<60 {
                        guard let link = try? await SocketDialer().connect(to: endpoint, timeout: .seconds(2)) else {
                            continue
                        }
                        _ = try? await Self.answers(link)
                        await link.close()
                    }
                }
            }
            for _ in 0..<40 {
                _ = await server.control("refuse-connections")
                _ = await server.control("end")
            }
        }
        #expect(try await Self.listens(server.port, wanted: true))
        await server.stop()
        try await running.value
        #expect(try await Self.listens(server.port, wanted: false) == false)
    }

    @Test("a restart closes it for its time")
    func restarts() async throws {
        var options = EmulatorOptions()
        options.port = 0
        options.records = 10
        let server = try await EmulatorServer.bind(options)
        let running = Task { try await server.run() }
        _ = await server.control("restart 300ms")
        #expect(try await Self.listens(server.port, wanted: false) == false)
        #expect(try await Self.listens(server.port, wanted: true))
        running.cancel()
        _ = await running.result
        #expect(try await Self.listens(server.port, wanted: false) == false)
    }
}
