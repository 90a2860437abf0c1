import DeviceKit
import Testing

@testable import ZKTecoDriver
@testable import ZKTecoWire

@Suite("Waiting over UDP")
struct RepetitionTests {
    @Test("patience follows the answers, within its bounds")
    func patience() {
        var estimate = RoundTripEstimate()
        #expect(estimate.patience == RoundTripEstimate.initialPatience)
        for _ in 0..<50 { estimate.measured(.milliseconds(2)) }
        #expect(estimate.patience == RoundTripEstimate.shortestPatience)
        for _ in 0..<50 { estimate.measured(.milliseconds(300)) }
        #expect(estimate.patience > .milliseconds(290) && estimate.patience < .milliseconds(600))
        estimate.measured(.seconds(100))
        #expect(estimate.patience == Repetition.longestPatience)
    }

    @Test("a copy of an event is acknowledged again only when the first acknowledgement may be lost")
    func acknowledgements() {
        let (one, two) = (
            Packet(code: 500, session: 1, replyNumber: 0, payload: [1]),
            Packet(code: 500, session: 1, replyNumber: 0, payload: [2])
        )
        var acknowledgement = EventAcknowledgement()
        #expect(acknowledgement.due([one, one], now: .zero, patience: .seconds(1)) == 1)
        #expect(acknowledgement.due([two, one], now: .milliseconds(500), patience: .seconds(1)) == 1)
        #expect(acknowledgement.due([one, two], now: .milliseconds(1_000), patience: .seconds(1)) == 1)
        #expect(acknowledgement.due([two], now: .milliseconds(1_500), patience: .seconds(1)) == 1)
    }
}
