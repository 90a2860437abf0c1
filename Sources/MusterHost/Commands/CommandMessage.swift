internal import DeviceKit
internal import Foundation

/// A ``DeviceCommand`` as it travels over the control socket, which only its owner can open. It holds passwords and
/// templates in clear: it is never logged.
struct CommandMessage: Codable, Sendable, Hashable {
    enum Verb: String, Codable, Sendable {
        case information, options, readClock, setClock, people, putPerson, deletePerson, readTemplates, saveTemplates
        case deleteTemplates, enrol, readDoor, unlockDoor, playVoice, showMessage, clearMessage, restart, powerOff
        case operations, clearOperations, clearLog
    }

    var verb: Verb
    var names: [String]?
    var time: LocalDateTime?
    var code: String?
    var person: PersonItem?
    var templates: [TemplateItem]?
    var finger: Int?
    var enrolment: EnrolmentRequest?
    var seconds: Int64?
    var number: Int?
    var text: String?
    var mark: OperationLog.Mark?

    struct PersonItem: Codable, Sendable, Hashable {
        var name: String?
        var privilege: Person.Privilege?
        var isEnabled: Bool?
        /// Empty takes it away.
        var card: String?
        var password: String?
        var group: Int?
    }

    struct TemplateItem: Codable, Sendable, Hashable {
        var code: String
        var finger: Int
        var validity: Template.Validity
        var algorithm: String?
        var bytes: Data

        init(_ template: Template) {
            code = template.code
            finger = template.finger
            validity = template.validity
            algorithm = template.algorithm
            bytes = Data(template.reveal())
        }

        var template: Template {
            Template(code: code, finger: finger, validity: validity, algorithm: algorithm, bytes: Array(bytes))
        }
    }
}

extension CommandMessage {
    init(_ command: DeviceCommand) {
        switch command {
        case .information: self.init(verb: .information)
        case .options(let names): self.init(verb: .options, names: names)
        case .readClock: self.init(verb: .readClock)
        case .setClock(let time): self.init(verb: .setClock, time: time)
        case .people: self.init(verb: .people)
        case .putPerson(let change): self.init(verb: .putPerson, code: change.code, person: PersonItem(change))
        case .deletePerson(let code): self.init(verb: .deletePerson, code: code)
        case .readTemplates(let code): self.init(verb: .readTemplates, code: code)
        case .saveTemplates(let templates):
            self.init(verb: .saveTemplates, templates: templates.map { TemplateItem($0) })
        case .deleteTemplates(let code, let finger): self.init(verb: .deleteTemplates, code: code, finger: finger)
        case .enrol(let request): self.init(verb: .enrol, enrolment: request)
        case .readDoor: self.init(verb: .readDoor)
        case .unlockDoor(let duration): self.init(verb: .unlockDoor, seconds: duration.components.seconds)
        case .playVoice(let number): self.init(verb: .playVoice, number: number)
        case .showMessage(let text, let line): self.init(verb: .showMessage, number: line, text: text)
        case .clearMessage: self.init(verb: .clearMessage)
        case .restart: self.init(verb: .restart)
        case .powerOff: self.init(verb: .powerOff)
        case .operations: self.init(verb: .operations)
        case .clearOperations(let mark): self.init(verb: .clearOperations, mark: mark)
        case .clearLog: self.init(verb: .clearLog)
        }
    }

    /// `nil` when something is missing.
    var command: DeviceCommand? {
        switch verb {
        case .information: return .information
        case .options: return names.map { .options($0) }
        case .readClock: return .readClock
        case .setClock: return .setClock(time)
        case .people: return .people
        case .putPerson:
            guard let code, let person else { return nil }
            return .putPerson(person.change(of: code))
        case .deletePerson: return code.map { .deletePerson($0) }
        case .readTemplates: return .readTemplates(code)
        case .saveTemplates: return templates.map { .saveTemplates($0.map(\.template)) }
        case .deleteTemplates: return code.map { .deleteTemplates(code: $0, finger: finger) }
        case .enrol: return enrolment.map { .enrol($0) }
        case .readDoor: return .readDoor
        case .unlockDoor: return seconds.map { .unlockDoor(.seconds($0)) }
        case .playVoice: return number.map { .playVoice($0) }
        case .showMessage:
            guard let text, let number else { return nil }
            return .showMessage(text, line: number)
        case .clearMessage: return .clearMessage
        case .restart: return .restart
        case .powerOff: return .powerOff
        case .operations: return .operations
        case .clearOperations: return mark.map { .clearOperations($0) }
        case .clearLog: return .clearLog
        }
    }
}

extension CommandMessage.PersonItem {
    init(_ change: PersonChange) {
        self.init(name: change.name, privilege: change.privilege, isEnabled: change.isEnabled, group: change.group)
        card = change.card.map { if case .set(let number) = $0 { number } else { "" } }
        password = change.password.map { if case .set(let secret) = $0 { secret.reveal() } else { "" } }
    }

    func change(of code: String) -> PersonChange {
        PersonChange(
            code: code, name: name, privilege: privilege, isEnabled: isEnabled,
            card: card.map { $0.isEmpty ? .remove : .set($0) },
            password: password.map { $0.isEmpty ? .remove : .set(Secret($0)) }, group: group)
    }
}

/// A ``DeviceAnswer`` as it travels over the control socket.
struct AnswerMessage: Codable, Sendable, Hashable {
    struct Operations: Codable, Sendable, Hashable {
        var entries: [OperationEntry]
        var rejected: [Rejected]
    }

    struct Rejected: Codable, Sendable, Hashable {
        var reason: String
        var bytes: Data
    }

    var isDone: Bool?
    var note: String?
    var information: DeviceInformation?
    var options: [DeviceDetails.Option]?
    var clock: ClockReading?
    var people: [Person]?
    var person: PersonOutcome?
    var templates: [CommandMessage.TemplateItem]?
    var removed: Int?
    var door: DoorState?
    var operations: Operations?
    var cleared: ClearedLog?

    init(_ answer: DeviceAnswer) {
        switch answer {
        case .done(let note): (isDone, self.note) = (true, note)
        case .information(let value): information = value
        case .options(let value): options = value
        case .clock(let value): clock = value
        case .people(let value): people = value
        case .person(let value): person = value
        case .templates(let value): templates = value.map { CommandMessage.TemplateItem($0) }
        case .removed(let value): removed = value
        case .door(let value): door = value
        case .operations(let log):
            operations = Operations(
                entries: log.entries,
                rejected: log.rejected.map { Rejected(reason: $0.reason, bytes: Data($0.bytes)) })
        case .cleared(let value): cleared = value
        }
    }

    /// `nil` for a message of nothing.
    var answer: DeviceAnswer? {
        if let information { return .information(information) }
        if let options { return .options(options) }
        if let clock { return .clock(clock) }
        if let people { return .people(people) }
        if let person { return .person(person) }
        if let templates { return .templates(templates.map(\.template)) }
        if let removed { return .removed(removed) }
        if let door { return .door(door) }
        if let cleared { return .cleared(cleared) }
        if let operations {
            return .operations(
                OperationLog(
                    entries: operations.entries,
                    rejected: operations.rejected.map { RejectedRecord(reason: $0.reason, bytes: Array($0.bytes)) }))
        }
        return isDone == true ? .done(note) : nil
    }
}
