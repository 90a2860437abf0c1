import CLibYAML
import DeviceKit

/// One step of a YAML stream.
struct YAMLEvent {
    enum Kind {
        case scalar(text: String, isQuoted: Bool)
        case alias(name: String)
        case sequenceStart, sequenceEnd, mappingStart, mappingEnd
        case documentStart
        case streamEnd
    }

    let kind: Kind
    let mark: SourceMark
    /// The name that aliases may use for this node.
    var anchor: String?
    var hasTag = false
}

/// Owns one libyaml parser and turns its events into values. The bytes must outlive it and may not be empty.
final class EventReader {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let lines: SourceLines
    private let isReady: Bool
    private var isFinished = false

    init(_ bytes: UnsafeBufferPointer<UInt8>, lines: SourceLines) {
        self.lines = lines
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        isReady = yaml_parser_initialize(parser) == 1
        guard isReady, let start = bytes.baseAddress else { return }
        // Without this libyaml guesses UTF-16 from the first bytes.
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, start, bytes.count)
    }

    deinit {
        if isReady { yaml_parser_delete(parser) }
        parser.deinitialize(count: 1)
        parser.deallocate()
    }

    /// The next event; ``YAMLEvent/Kind/streamEnd`` for ever after the end.
    /// - Throws: the first syntax error. Call no more after it.
    func next() throws(Diagnostic) -> YAMLEvent {
        while !isFinished {
            var event = yaml_event_t()
            guard isReady, yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
            defer { yaml_event_delete(&event) }
            if let known = translate(event) { return known }
        }
        return YAMLEvent(kind: .streamEnd, mark: mark(parser.pointee.mark))
    }

    private func translate(_ event: yaml_event_t) -> YAMLEvent? {
        let place = mark(event.start_mark)
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            let kind = YAMLEvent.Kind.scalar(text: text, isQuoted: scalar.style != YAML_PLAIN_SCALAR_STYLE)
            return YAMLEvent(kind: kind, mark: place, anchor: Self.text(scalar.anchor), hasTag: scalar.tag != nil)
        case YAML_ALIAS_EVENT:
            return YAMLEvent(kind: .alias(name: Self.text(event.data.alias.anchor) ?? ""), mark: place)
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            return YAMLEvent(
                kind: .sequenceStart, mark: place, anchor: Self.text(start.anchor), hasTag: start.tag != nil)
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            return YAMLEvent(
                kind: .mappingStart, mark: place, anchor: Self.text(start.anchor), hasTag: start.tag != nil)
        case YAML_SEQUENCE_END_EVENT: return YAMLEvent(kind: .sequenceEnd, mark: place)
        case YAML_MAPPING_END_EVENT: return YAMLEvent(kind: .mappingEnd, mark: place)
        case YAML_DOCUMENT_START_EVENT: return YAMLEvent(kind: .documentStart, mark: place)
        case YAML_STREAM_END_EVENT:
            isFinished = true
            return YAMLEvent(kind: .streamEnd, mark: place)
        default: return nil
        }
    }

    private func mark(_ mark: yaml_mark_t) -> SourceMark {
        lines.mark(line: Int(clamping: mark.line) + 1, column: Int(clamping: mark.column) + 1)
    }

    private static func text(_ name: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        name.map { String(cString: $0) }
    }

    private func syntaxError() -> Diagnostic {
        let state = parser.pointee
        let problem = state.problem.map { String(cString: $0) } ?? "cannot be read as YAML"
        if state.error == YAML_READER_ERROR {
            let place = lines.mark(atByte: Int(clamping: state.problem_offset))
            return Diagnostic(code: "encoding", at: place, path: "", problem, hint: "save the file as UTF-8 text")
        }
        let place = mark(state.problem_mark)
        var message = problem
        if let context = state.context.map({ String(cString: $0) }) {
            let line = Int(clamping: state.context_mark.line) + 1
            message += ", \(context)" + (line == place.line ? "" : " that begins in line \(line)")
        }
        return Diagnostic(
            code: "yaml-syntax", at: place, path: "", message,
            hint: SyntaxHint.text(
                problem: problem, character: lines.scalar(line: place.line, column: place.column),
                line: place.sourceLine))
    }
}

/// What usually is behind a message of libyaml.
enum SyntaxHint {
    static func text(problem: String, character: Unicode.Scalar?, line: String) -> String? {
        if character == "\t" { return "indent with spaces; YAML does not allow tabs" }
        if line.contains("${"), problem.contains("expected ','") {
            return "inside { } and [ ] a text with ${…} needs quotes"
        }
        if character == "@" || character == "`" || character == "%" { return "put the text in quotes" }
        if problem.contains("mapping values are not allowed") {
            return "a text with ': ' needs quotes; or the indentation of this line is wrong"
        }
        if problem.contains("expected key") || problem.contains("expected <block end>") {
            return "the indentation differs from the lines above"
        }
        if problem.contains("could not find expected ':'") { return "a key ends in a colon and a space" }
        return nil
    }
}
