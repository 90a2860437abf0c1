import DeviceKit
import Journal
import Testing

@testable import MusterHost

@Suite("Where a sink stands")
struct DeliveryLanesTests {
    private let lobby: DeviceID
    private let gate: DeviceID
    private let yard: DeviceID

    init() throws {
        lobby = try #require(DeviceID("lobby"))
        gate = try #require(DeviceID("gate"))
        yard = try #require(DeviceID("yard"))
    }

    @Test("a new sink begins with the oldest punch, all devices together")
    func newSink() {
        var lanes = DeliveryLanes(nil, devices: [lobby, gate])
        #expect(lanes.next == .init(after: 0, through: nil, devices: [lobby, gate]))
        lanes.serve(lanes.next, to: 40)
        #expect(lanes.next == .init(after: 40, through: nil, devices: [lobby, gate]))
        let saved = lanes.takeChanges(delivered: 3, rejected: [])
        #expect(saved == SinkDelivery(position: 40, lanes: [lobby: .following, gate: .following], delivered: 3))
        #expect(lanes.takeChanges(delivered: 0, rejected: []).lanes.isEmpty)
    }

    @Test("a device that joins later catches up alone, then all go on together")
    func joining() {
        let stored = SinkProgress(position: 100, lanes: [lobby: .following])
        var lanes = DeliveryLanes(stored, devices: [lobby, gate])
        #expect(lanes.next == .init(after: 0, through: 100, devices: [gate]))
        lanes.serve(lanes.next, to: 60)
        #expect(lanes.next == .init(after: 60, through: 100, devices: [gate]))
        #expect(lanes.takeChanges(delivered: 9, rejected: []).lanes == [gate: .behind(60)])
        lanes.serve(lanes.next, to: 100)
        #expect(lanes.next == .init(after: 100, through: nil, devices: [lobby, gate]))
        #expect(lanes.takeChanges(delivered: 9, rejected: []).lanes == [gate: .following])
    }

    @Test("of several that are behind, the last one first, and they join on the way")
    func several() {
        let stored = SinkProgress(position: 100, lanes: [lobby: .following, gate: .behind(70)])
        var lanes = DeliveryLanes(stored, devices: [lobby, gate, yard])
        #expect(lanes.next == .init(after: 0, through: 70, devices: [yard]))
        lanes.serve(lanes.next, to: 70)
        #expect(lanes.next == .init(after: 70, through: 100, devices: [gate, yard]))
        lanes.serve(lanes.next, to: 100)
        #expect(lanes.next == .init(after: 100, through: nil, devices: [lobby, gate, yard]))
    }

    @Test("a device that is taken away goes on from there when it comes back")
    func leaving() {
        let stored = SinkProgress(position: 100, lanes: [lobby: .following, gate: .following])
        var lanes = DeliveryLanes(stored, devices: [lobby])
        #expect(lanes.isWorthSaving)
        lanes.serve(lanes.next, to: 150)
        let saved = lanes.takeChanges(delivered: 5, rejected: [])
        #expect(saved.lanes == [gate: .behind(100)])
        let later = SinkProgress(position: 150, lanes: [lobby: .following, gate: .behind(100)])
        #expect(DeliveryLanes(later, devices: [lobby]).isWorthSaving == false)
        #expect(DeliveryLanes(later, devices: [lobby, gate]).next == .init(after: 100, through: 150, devices: [gate]))
    }

    @Test("an idle sink stores its position only after a long stretch")
    func idle() {
        var lanes = DeliveryLanes(SinkProgress(position: 5, lanes: [lobby: .following]), devices: [lobby])
        lanes.serve(lanes.next, to: 10_004)
        #expect(!lanes.isWorthSaving)
        lanes.serve(lanes.next, to: 10_005)
        #expect(lanes.isWorthSaving)
        _ = lanes.takeChanges(delivered: 0, rejected: [])
        #expect(!lanes.isWorthSaving)
    }
}
