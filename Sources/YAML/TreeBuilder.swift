import DeviceKit

/// Builds the tree from events and keeps it within the limits.
struct TreeBuilder {
    private(set) var diagnostics: [Diagnostic] = []
    private let events: EventReader
    private let lines: SourceLines
    private let limits: YAMLReader.Limits
    private var anchors: [String: ConfigurationNode] = [:]
    /// Anchors whose node is still being read: an alias to one of them would be a cycle.
    private var openAnchors: Set<String> = []
    private var nodeCount = 0
    private var aliasedNodeCount = 0

    init(events: EventReader, lines: SourceLines, limits: YAMLReader.Limits) {
        self.events = events
        self.lines = lines
        self.limits = limits
    }

    /// The root of the only document; `nil` when it could not be read.
    mutating func buildDocument() -> ConfigurationNode? {
        do throws(Diagnostic) {
            guard case .documentStart = try events.next().kind else {
                return ConfigurationNode(.null, at: lines.mark(line: 1, column: 1), path: "")
            }
            let root = try node(try events.next(), path: "", depth: 1)
            let end = try events.next()
            guard case .streamEnd = end.kind else {
                throw Diagnostic(
                    code: "several-documents", at: end.mark, path: "", "a second document begins here",
                    hint: "a configuration is one document; delete the line ---")
            }
            return root
        } catch {
            diagnostics.append(error)
            return nil
        }
    }

    private mutating func node(_ event: YAMLEvent, path: String, depth: Int) throws(Diagnostic) -> ConfigurationNode {
        if event.hasTag {
            diagnostics.append(
                Diagnostic(
                    code: "tag", at: event.mark, path: path, "YAML tags are not supported",
                    hint: "the type follows from the key; put a text in quotes"))
        }
        if case .alias(let name) = event.kind { return try expand(name, event, path: path, depth: depth) }
        try count(at: event.mark, path: path)
        if let anchor = event.anchor { openAnchors.insert(anchor) }
        let node = ConfigurationNode(try value(event, path: path, depth: depth), at: event.mark, path: path)
        if let anchor = event.anchor {
            openAnchors.remove(anchor)
            anchors[anchor] = node
        }
        return node
    }

    private mutating func value(
        _ event: YAMLEvent, path: String, depth: Int
    ) throws(Diagnostic) -> ConfigurationNode.Value {
        switch event.kind {
        case .scalar(let text, let isQuoted):
            let isNull = !isQuoted && ["", "~", "null", "Null", "NULL"].contains(text)
            return isNull ? .null : .scalar(.init(text, isQuoted: isQuoted))
        case .sequenceStart:
            try checkDepth(depth, at: event.mark, path: path)
            return .sequence(try elements(path: path, depth: depth))
        case .mappingStart:
            try checkDepth(depth, at: event.mark, path: path)
            return .mapping(try members(path: path, depth: depth))
        case .alias, .sequenceEnd, .mappingEnd, .documentStart, .streamEnd:
            throw Diagnostic(code: "yaml-syntax", at: event.mark, path: path, "a value is missing here")
        }
    }

    private mutating func elements(path: String, depth: Int) throws(Diagnostic) -> [ConfigurationNode] {
        var nodes: [ConfigurationNode] = []
        while true {
            let event = try events.next()
            if case .sequenceEnd = event.kind { return nodes }
            let path = ConfigurationNode.childPath(path, index: nodes.count)
            nodes.append(try node(event, path: path, depth: depth + 1))
        }
    }

    private mutating func members(path: String, depth: Int) throws(Diagnostic) -> [ConfigurationNode.Member] {
        var members: [ConfigurationNode.Member] = []
        var lineOfKey: [String: Int] = [:]
        while true {
            let event = try events.next()
            if case .mappingEnd = event.kind { return members }
            let key = try key(event, path: path, depth: depth)
            let childPath = ConfigurationNode.childPath(path, key: key ?? "?")
            let child = try node(try events.next(), path: childPath, depth: depth + 1)
            guard let key else { continue }
            if let line = lineOfKey[key] {
                diagnostics.append(
                    Diagnostic(
                        code: "duplicate-key", at: event.mark, path: childPath,
                        "the key is given twice, first in line \(line)", hint: "delete one of the two"))
                continue
            }
            lineOfKey[key] = event.mark.line
            members.append(.init(key: key, keyMark: event.mark, node: child))
        }
    }

    /// `nil` for a key that cannot be used, which is reported; its value is then read and dropped.
    private mutating func key(_ event: YAMLEvent, path: String, depth: Int) throws(Diagnostic) -> String? {
        guard case .scalar(let text, _) = event.kind else {
            diagnostics.append(
                Diagnostic(code: "wrong-key", at: event.mark, path: path, "a key must be a text"))
            _ = try node(event, path: path, depth: depth + 1)
            return nil
        }
        try count(at: event.mark, path: path)
        if let anchor = event.anchor {
            anchors[anchor] = ConfigurationNode(.scalar(.init(text)), at: event.mark, path: path)
        }
        guard !text.isEmpty, text.utf8.count <= 200, !text.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            let problem = text.isEmpty ? "a key is empty" : "a key is one line of at most 200 bytes"
            diagnostics.append(Diagnostic(code: "wrong-key", at: event.mark, path: path, problem))
            return nil
        }
        return text
    }
}

// Aliases and limits.
extension TreeBuilder {
    /// The anchor's node as it would stand at the alias.
    private mutating func expand(
        _ name: String, _ event: YAMLEvent, path: String, depth: Int
    ) throws(Diagnostic) -> ConfigurationNode {
        guard let original = anchors[name], !openAnchors.contains(name) else {
            let isCycle = openAnchors.contains(name)
            throw Diagnostic(
                code: "alias", at: event.mark, path: path,
                isCycle ? "the alias '\(name)' stands inside its own anchor" : "there is no anchor '\(name)'",
                hint: isCycle ? nil : NearestName.hint(for: name, among: anchors.keys.sorted()))
        }
        return try copy(original, at: event.mark, alias: event.mark, path: path, depth: depth)
    }

    private mutating func copy(
        _ node: ConfigurationNode, at mark: SourceMark, alias: SourceMark, path: String, depth: Int
    ) throws(Diagnostic) -> ConfigurationNode {
        aliasedNodeCount += 1
        guard aliasedNodeCount <= limits.aliasedNodeCount else {
            throw Diagnostic(
                code: "too-large", at: alias, path: path, "aliases add more than \(limits.aliasedNodeCount) values")
        }
        try count(at: alias, path: path)
        switch node.value {
        case .null, .scalar, .invalid:
            return ConfigurationNode(node.value, at: mark, path: path)
        case .sequence(let elements):
            try checkDepth(depth, at: alias, path: path)
            var copies: [ConfigurationNode] = []
            for (index, element) in elements.enumerated() {
                let path = ConfigurationNode.childPath(path, index: index)
                copies.append(try copy(element, at: element.mark, alias: alias, path: path, depth: depth + 1))
            }
            return ConfigurationNode(.sequence(copies), at: mark, path: path)
        case .mapping(let members):
            try checkDepth(depth, at: alias, path: path)
            var copies: [ConfigurationNode.Member] = []
            for member in members {
                let path = ConfigurationNode.childPath(path, key: member.key)
                let child = try copy(member.node, at: member.node.mark, alias: alias, path: path, depth: depth + 1)
                copies.append(.init(key: member.key, keyMark: member.keyMark, node: child))
            }
            return ConfigurationNode(.mapping(copies), at: mark, path: path)
        }
    }

    private mutating func count(at mark: SourceMark, path: String) throws(Diagnostic) {
        guard diagnostics.count < limits.diagnosticCount else {
            throw Diagnostic(
                code: "too-many", at: mark, path: path,
                "more than \(limits.diagnosticCount) problems; reading ends here")
        }
        nodeCount += 1
        guard nodeCount <= limits.nodeCount else {
            throw Diagnostic(
                code: "too-large", at: mark, path: path, "the file has more than \(limits.nodeCount) values")
        }
    }

    private func checkDepth(_ depth: Int, at mark: SourceMark, path: String) throws(Diagnostic) {
        guard depth <= limits.depth else {
            throw Diagnostic(
                code: "too-deep", at: mark, path: path.shortened, "values are nested more than \(limits.depth) deep")
        }
    }
}
