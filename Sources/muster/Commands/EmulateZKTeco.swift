public import ArgumentParser
public import DeviceKit
internal import Foundation
internal import Synchronization
internal import YAML
public import ZKTecoEmulator

struct EmulateZKTeco: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zkteco", abstract: "A ZKTeco terminal on TCP and UDP, good enough for pyzk.",
        discussion: """
            Lines on standard input control it: punch CODE, burst N, drop, mute for 5s, rate 5/s, records, quit; help \
            lists them. On a terminal, Enter lets somebody punch. With --count they go to all terminals; @7 punch 1001 \
            goes to the seventh.
            """)

    @Option(help: "Address and port to listen on.")
    var listen = "127.0.0.1:4370"
    @Option(help: "How many terminals, each with its own serial number.")
    var count = 1
    @Flag(help: "With --count: one address after the other on the same port, instead of one port after the other.")
    var addresses = false
    @Option(help: "What it listens on: both, tcp or udp.")
    var transports = EmulatedTransports.both
    @Option(name: .customLong("udp-loss"), help: "Share of datagrams that are lost, each way: 0.05 for one in twenty.")
    var datagramLoss = 0.0
    @Option(name: .customLong("udp-duplicates"), help: "Share of datagrams that come twice.")
    var datagramDuplication = 0.0
    @Option(name: .customLong("udp-reordering"), help: "Share of datagrams that others overtake.")
    var datagramReordering = 0.0
    @Option(help: "Records that the log begins with.")
    var records = 1_000
    @Option(help: "People who are enrolled.")
    var people = 20
    @Option(help: "The comm key; 0 for none.")
    var password: UInt32 = 0
    @Option(help: "Decides people and history.")
    var seed: UInt64 = 1
    @Option(help: "The serial number.")
    var serial: String?
    @Option(name: .customLong("record-form"), help: "Layout of the log's records: 8, 8b, 16, 22, 40 or 49 bytes.")
    var recordForm = EmulatedRecordForm.bytes40
    @Option(name: .customLong("event-size"), help: "Payload of a live event: 10, 12, 14, 32, 36, 37 or 52 bytes.")
    var eventByteCount: Int?
    @Option(
        name: .customLong("repeat-events"),
        help: "Send a live event again after so long, until it is acknowledged; without it each is sent once.")
    var eventRepeatInterval: DurationArgument?
    @Option(help: "What it tells of its counts: full, short or zero.")
    var counters = EmulatedCounters.full
    @Option(
        name: .customLong("refuse-buffer"),
        help: "Answer the buffered read with this code: 2001 as old terminals do, 4989 as in access-control mode.")
    var preparationRefusal: UInt16?
    @Flag(name: .customLong("number-data"), help: "Number the data frames of a chunk, as older boards do.")
    var numbersData = false
    @Option(help: "New punches by themselves, for example 5/s.")
    var rate: Rate?
    @Option(help: "IANA zone of the terminal's clock.")
    var timezone = "UTC"
    @Option(name: .customLong("clock-offset"), help: "Seconds that the terminal's clock is ahead.")
    var clockOffset: Int64 = 0
    @Option(help: "Most records that the terminal holds.")
    var capacity: Int?
    @Flag(help: "A full log gives up its oldest record for a new one; otherwise it takes no more.")
    var overwrite = false
    @Option(name: .customLong("clock-drift"), help: "Seconds that the terminal's clock gains in an hour.")
    var clockDrift: Int64 = 0
    @Option(help: "A YAML file that says what goes wrong, and when; see Plugins/ZKTeco/README.md.")
    var script: String?
    @Option(
        help: "A file that gets every record, as a JSON line, before it is sent; {n} in it is the terminal's number.")
    var truth: String?
    @Option(help: "A file that gets a JSON line with the time of each record, event and acknowledgement.")
    var observe: String?
    @Option(help: "Pause between the frames of a bulk answer.")
    var pacing = DurationArgument(.milliseconds(5))
    @Option(name: .customLong("data-size"), help: "Most bytes of one data frame; older boards use 1008.")
    var dataByteCount: Int?
    @Option(name: .customLong("split"), help: "Cut everything that is sent into pieces of so many bytes.")
    var splitByteCount: Int?
    @Flag(help: "Send all frames that are ready in one write.")
    var coalesce = false
    @Option(help: "What becomes of a finger that is enrolled: stored, duplicate, timed-out, waiting or refused.")
    var enrolment = EmulatedEnrolment.stored
    @Flag(name: .customLong("door-state"), help: "Answer the question for the door with a byte, which breaks pyzk.")
    var tellsDoorState = false
    @Flag(name: .customLong("one-connection"), help: "Shut a second client out.")
    var allowsOneConnection = false

    func run() async throws {
        try await reporting {
            let options = try options()
            let fleet: EmulatorFleet
            do throws(EmulatorError) {
                fleet = try await EmulatorFleet.bind(
                    options, count: count, spread: addresses ? .addresses : .ports)
            } catch {
                throw Failure(Exit.unavailable, "\(error)")
            }
            for server in fleet.servers { StandardOutput.write("listening on \(server.host):\(server.port)\n") }
            // Reads blockingly and must not hold a thread of the pool.
            let control = Thread { Self.readControl(fleet) }
            control.start()
            try await fleet.run()
        }
    }

    private var host: String { String(listen[..<(listen.lastIndex(of: ":") ?? listen.endIndex)]) }

    private func options() throws -> EmulatorOptions {
        guard let colon = listen.lastIndex(of: ":"), let port = UInt16(listen[listen.index(after: colon)...]) else {
            throw Failure(Exit.usage, "--listen is ADDRESS:PORT, not \(listen)")
        }
        guard let zone = DeviceTimeZone(identifier: timezone) else {
            throw Failure(Exit.usage, "\(timezone) is no time zone: write an IANA name such as Asia/Ho_Chi_Minh")
        }
        let shares = [datagramLoss, datagramDuplication, datagramReordering]
        guard shares.allSatisfy({ (0...0.9).contains($0) }) else {
            throw Failure(Exit.usage, "--udp-loss, --udp-duplicates and --udp-reordering are shares from 0 to 0.9")
        }
        var options = EmulatorOptions()
        options.host = host
        options.port = Int(port)
        options.records = records
        options.people = people
        options.commKey = password
        options.seed = seed
        if let serial { options.serialNumber = serial }
        options.recordForm = recordForm
        options.eventByteCount = eventByteCount
        options.transports = transports
        options.datagramFaults = DatagramFaults.Rates(
            loss: datagramLoss, duplication: datagramDuplication, reordering: datagramReordering)
        options.eventRepeatInterval = eventRepeatInterval?.duration
        options.counters = counters
        options.preparationRefusal = preparationRefusal
        options.numbersData = numbersData
        options.rate = rate
        options.timezone = zone
        options.clockOffset = clockOffset
        options.capacity = capacity
        options.overwrites = overwrite
        options.clockDrift = clockDrift
        options.script = try script.map(Self.faults)
        if let truth, count > 1, !truth.contains(EmulatorFleet.numberMark) {
            throw Failure(Exit.usage, "several terminals need several truth files: write {n} for the number in --truth")
        }
        options.truthPath = truth
        if let observe {
            do throws(EmulatorError) {
                let file = try ObservationFile(observe)
                options.observer = { file.observe($0) }
            } catch {
                throw Failure(Exit.unavailable, "\(error)")
            }
        }
        options.pacing = pacing.duration
        options.dataByteCount = dataByteCount
        options.splitByteCount = splitByteCount
        options.coalesces = coalesce
        options.allowsOneConnection = allowsOneConnection
        options.enrolment = enrolment
        options.tellsDoorState = tellsDoorState
        return options
    }

    /// Reads a script of faults.
    private static func faults(_ path: String) throws -> FaultScript {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(Exit.usage, "there is no file \(path)")
        }
        let reading = YAMLReader.read(bytes: Array(data), file: path)
        do throws(ConfigurationError) {
            guard let root = reading.root else { throw ConfigurationError(reading.diagnostics) }
            return try FaultScript(root)
        } catch {
            StandardError.write(error.diagnostics.map { "\($0)\n" }.joined())
            throw Exit.configuration
        }
    }

    /// The end of the input ends nothing: a terminal that was started without one plays on.
    private static func readControl(_ fleet: EmulatorFleet) {
        while let line = readLine() {
            let answered = DispatchSemaphore(value: 0)
            Task {
                let answer = await fleet.control(line)
                if !answer.isEmpty { StandardOutput.write(answer + "\n") }
                answered.signal()
            }
            // One line at a time, in order.
            answered.wait()
        }
    }
}

extension Rate: ExpressibleByArgument {
    public init?(argument: String) {
        guard let rate = Rate(argument) else { return nil }
        self = rate
    }
}

extension EmulatedRecordForm: ExpressibleByArgument {}
extension EmulatedEnrolment: ExpressibleByArgument {}
extension EmulatedTransports: ExpressibleByArgument {}
extension EmulatedCounters: ExpressibleByArgument {}
