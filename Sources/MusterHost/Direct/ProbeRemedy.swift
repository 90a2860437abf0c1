internal import DeviceKit

/// What to do about a step that failed. By the code of the fault alone: what a driver knows better stands in its message.
enum ProbeRemedy {
    static func text(for fault: DeviceFault, in step: String) -> String {
        switch fault.code {
        case .unreachable where step == ProbeStep.Name.resolve:
            "correct the address, or let the name server know the name; an address in numbers needs no name server"
        case .unreachable:
            "compare the address with the device's menu; check its power, cable, VLAN and gateway, and ping it"
        case .refused:
            "something answers at the address, but not on this port: compare the port with the device's menu, and check firewalls"
        case .timedOut:
            "check that the device is switched on and that no firewall drops packets; if it serves one connection only, "
                + "close other software that talks to it, or switch it off and on"
        case .connectionLost, .busy:
            "many devices serve one connection only: close other software that talks to it, wait a minute, and try again"
        case .unauthorised: "set the key of the device's menu in the configuration, or take it away at the device"
        case .deviceReplaced:
            "look which device stands there: accept it if it is meant to, else give the configuration the right address"
        case .secureCommunication: "switch secure communication off in the device's menu"
        case .malformed, .unexpectedReply, .oversize:
            "check that this driver is the right one and that no other service uses the port; report it with --log-level debug"
        case .wrongChecksum: "check the cable and what lies between: bytes are changed on the way"
        case .incomplete: "try again; if it stays, restart the device"
        case .badSettings: "correct the settings; muster check explains them"
        case .unsupported: "the device or the driver cannot do it"
        default: "try again"
        }
    }
}
