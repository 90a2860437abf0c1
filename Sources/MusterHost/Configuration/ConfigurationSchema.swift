public import Alerts
import DeviceKit

/// The JSON Schema (draft 2020-12) of a configuration, for editors and for other programs.
///
/// It lists what the loader reads and nothing else, because both read ``ConfigurationKeys`` and the schemas of the
/// registered drivers and sinks. Included files fit it too: nothing at the top is required.
public enum ConfigurationSchema {
    /// Indented JSON text with a line break at its end.
    public static func jsonSchema(
        drivers: DriverRegistry, sinks: SinkRegistry, channels: ChannelRegistry = ChannelRegistry([])
    ) -> String {
        root(drivers: drivers, sinks: sinks, channels: channels).text(pretty: true) + "\n"
    }

    static func root(
        drivers: DriverRegistry, sinks: SinkRegistry, channels: ChannelRegistry = ChannelRegistry([])
    ) -> JSONNode {
        typealias Keys = ConfigurationKeys.Root
        var schema = section(
            Keys.schema,
            [
                (Keys.http, section(ConfigurationKeys.HTTP.schema, []), "The HTTP interface: health and metrics."),
                (Keys.log, section(ConfigurationKeys.Log.schema, []), "What is logged, and how."),
                (
                    Keys.journal, section(ConfigurationKeys.Journal.schema, []),
                    "How long punches are kept, and how much room they may take."
                ),
                (Keys.alerts, alerts(channels), "Who is told when something is wrong, and how."),
                (Keys.defaults, defaults, "What devices inherit."),
                (
                    Keys.sites, named(section(ConfigurationKeys.Site.schema, [])),
                    "Places whose devices share a way to the host, by name."
                ),
                (Keys.sinks, named(sink(sinks)), "Places that punches are delivered to, by name."),
                (Keys.devices, named(device(drivers)), "The devices, by name."),
            ])
        schema = schema.adding(
            "$defs",
            .object([
                "schedule": section(ConfigurationKeys.Schedule.schema, []),
                "clock": section(ConfigurationKeys.Clock.schema, []),
                "lifecycle": section(ConfigurationKeys.Lifecycle.schema, []),
            ]))
        guard case .object(let members) = schema else { return schema }
        let head = JSONNode.object([
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Configuration of Muster",
        ])
        guard case .object(let first) = head else { return schema }
        return .object(first + members)
    }

    private static var defaults: JSONNode {
        typealias Keys = ConfigurationKeys.Defaults
        return section(
            Keys.schema,
            [
                (Keys.schedule, reference("schedule"), "When and how devices are read."),
                (Keys.clock, reference("clock"), "What is done about the devices' clocks."),
                (Keys.lifecycle, reference("lifecycle"), "Waits of the devices' lives."),
            ])
    }

    private static func device(_ drivers: DriverRegistry) -> JSONNode {
        typealias Keys = ConfigurationKeys.Device
        let schema = section(
            Keys.schema,
            [
                (Keys.settings, .object(["type": ["object", "null"]]), "What the driver needs; see its own keys."),
                (Keys.schedule, reference("schedule"), "When and how the device is read."),
                (Keys.clock, reference("clock"), "What is done about the device's clock."),
                (Keys.lifecycle, reference("lifecycle"), "Waits of the device's life."),
            ], replacing: [Keys.driver.key: JSONNode.choice(drivers.names)])
        return schema.adding(
            "allOf",
            .array(
                drivers.registrations.map { registration in
                    let settings = registration.schema.jsonSchema
                    return condition(
                        Keys.driver.key, registration.manifest.id,
                        .object([
                            "properties": .object([.init(key: Keys.settings, value: nullable(settings))]),
                            "required": settings["required"] == nil ? nil : .strings([Keys.settings]),
                        ]))
                }))
    }

    private static func sink(_ sinks: SinkRegistry) -> JSONNode {
        typed(
            ConfigurationKeys.Sink.type, names: sinks.names, common: ConfigurationKeys.Sink.common,
            kinds: sinks.registrations.map { ($0.manifest.id, $0.schema) })
    }
}

// Shapes.
extension ConfigurationSchema {
    /// A mapping of plain keys and of sections.
    static func section(
        _ schema: SettingsSchema, _ sections: [(key: String, schema: JSONNode, summary: String)],
        replacing: [String: JSONNode] = [:]
    ) -> JSONNode {
        let own = schema.jsonSchema
        guard case .object(let members)? = own["properties"] else { return own }
        let plain = members.map { member in
            let description = member.value["description"]
            return JSONNode.Member(
                key: member.key,
                value: replacing[member.key].map { $0.adding("description", description) } ?? member.value)
        }
        let added = sections.map { section in
            JSONNode.Member(key: section.key, value: section.schema.adding("description", .string(section.summary)))
        }
        return nullable(own.adding("properties", .object(plain + added)))
    }

    /// A section without required keys may be left empty.
    private static func nullable(_ schema: JSONNode) -> JSONNode {
        schema["required"] == nil ? schema.adding("type", ["object", "null"]) : schema
    }

    /// A mapping whose `type` decides which keys it takes besides the common ones.
    static func typed(
        _ type: Setting<String>, names: [String], common: SettingsSchema,
        kinds: [(name: String, schema: SettingsSchema)]
    ) -> JSONNode {
        let description = JSONNode.string(type.summary)
        var properties = [
            JSONNode.Member(key: type.key, value: JSONNode.choice(names).adding("description", description))
        ]
        if case .object(let shared)? = common.jsonSchema["properties"] { properties += shared }
        return .object([
            "type": "object",
            "properties": .object(properties),
            "required": .strings([type.key]),
            "allOf": .array(
                kinds.map { kind in
                    let settings = kind.schema.jsonSchema
                    return condition(
                        type.key, kind.name,
                        .object(["properties": settings["properties"], "required": settings["required"]]))
                }),
            "unevaluatedProperties": false,
        ])
    }

    /// A mapping from names to one shape.
    static func named(_ shape: JSONNode) -> JSONNode {
        .object([
            "type": ["object", "null"],
            "propertyNames": .object(["pattern": #"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"#]),
            "additionalProperties": shape,
        ])
    }

    private static func reference(_ name: String) -> JSONNode { .object(["$ref": .string("#/$defs/\(name)")]) }

    private static func condition(_ key: String, _ name: String, _ then: JSONNode) -> JSONNode {
        .object([
            "if": .object([
                "properties": .object([.init(key: key, value: .object(["const": .string(name)]))]),
                "required": .strings([key]),
            ]),
            "then": then,
        ])
    }
}
