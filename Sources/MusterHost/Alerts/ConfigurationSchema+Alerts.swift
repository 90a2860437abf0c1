import Alerts
import DeviceKit

// The JSON Schema of `alerts:`.
extension ConfigurationSchema {
    static func alerts(_ channels: ChannelRegistry) -> JSONNode {
        section(
            AlertKeys.schema,
            [
                (AlertKeys.channels, named(channel(channels)), "The ways to people, by name."),
                (
                    AlertKeys.escalation,
                    .object([
                        "type": "array", "maxItems": .integer(AlertKeys.Step.mostSteps),
                        "items": AlertKeys.Step.schema.jsonSchema,
                    ]), "Whom to tell, and when; without it all channels at once."
                ),
                (AlertKeys.rules, rules, "What is told of, by rule."),
                (AlertKeys.repeats, section(AlertKeys.Repeat.schema, []), "How often what goes on is told again."),
                (AlertKeys.siteLink, section(AlertKeys.SiteLink.schema, []), "When absent devices are one dead link."),
                (AlertKeys.flapping, section(AlertKeys.Flapping.schema, []), "When what comes and goes is unstable."),
                (
                    AlertKeys.deadman, AlertKeys.Deadman.schema.jsonSchema,
                    "Lets others notice that this host is silent."
                ),
            ])
    }

    private static var rules: JSONNode {
        .object([
            "type": ["object", "null"],
            "properties": .object(
                AlertRule.allCases.map { rule in
                    JSONNode.Member(key: rule.rawValue, value: section(RuleKeys(rule).schema, []))
                }),
            "additionalProperties": false,
        ])
    }

    private static func channel(_ channels: ChannelRegistry) -> JSONNode {
        let type = AlertKeys.Channel.type
        return typed(
            type, names: channels.names, common: AlertKeys.Channel.common,
            kinds: channels.registrations.map { ($0.manifest.id, $0.schema) })
    }
}
