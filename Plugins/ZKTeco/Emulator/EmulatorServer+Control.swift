internal import DeviceKit

// What people order, and what the terminal's people do by themselves.
extension EmulatorServer {
    /// Does what a line says and answers with a line for the person; empty when there is nothing to say.
    public func control(_ line: String) -> String {
        do throws(ControlLineError) {
            return control(try ControlLine(parsing: line))
        } catch {
            return error.description
        }
    }

    /// The same for one that was read already.
    public func control(_ line: ControlLine) -> String {
        switch line {
        case .punch(let code):
            let before = machine.recordCount
            handle(.punch(code: code))
            if machine.recordCount > before { return "" }
            return code.map { "nobody has the code \($0), or the log is full" } ?? "the log is full"
        case .burst(let count): handle(.burst(count))
        case .drop: handle(.drop)
        case .mute(let isOn): handle(.mute(isOn))
        case .fault(let fault, let lasting): handle(.fault(fault, lasting))
        case .stopScript: handle(.stopScript)
        case .end(let word): handle(.endFaults(word))
        case .rate(let rate): self.rate = rate
        case .records:
            let events = machine.connections.values.map(\.events)
            let (sent, acknowledged) = (events.map(\.sent).reduce(0, +), events.map(\.acknowledged).reduce(0, +))
            let repeated = events.map(\.repeated).reduce(0, +)
            return "\(machine.recordCount) records, \(sent) events sent, \(acknowledged) acknowledged"
                + (repeated == 0 ? "" : ", \(repeated) repeated")
        case .connections: return "\(outlets.count) connected, \(connectionCount) since the start"
        case .help: return ControlLine.helpText
        case .quit: stop()
        }
        return ""
    }

    /// Lets people punch by themselves. The rate may change at any time, so no pause is longer than a second.
    func punchAtRate() async {
        var next = time.uptime()
        while !Task.isCancelled {
            let perSecond = rate?.perSecond ?? 0
            let now = time.uptime()
            let pause: Duration
            if perSecond > 0 {
                // After a long pause of the machine the missed punches are not made up for.
                next = max(next, now - .seconds(1))
                if next <= now {
                    handle(.punch(code: nil))
                    next += .milliseconds(max(1, Int64(1_000 / perSecond)))
                }
                pause = min(max(next - time.uptime(), .zero), .seconds(1))
            } else {
                next = now
                pause = .milliseconds(200)
            }
            guard pause > .zero else {
                await Task.yield()
                continue
            }
            guard (try? await time.sleep(for: pause)) != nil else { return }
        }
    }
}
