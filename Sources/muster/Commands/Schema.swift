internal import ArgumentParser
internal import MusterHost

struct Schema: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Prints the JSON Schema of the configuration, for editors.",
        discussion: "Put `# yaml-language-server: $schema=muster.schema.json` on the first line of the file.")

    func run() async throws {
        StandardOutput.write(
            ConfigurationSchema.jsonSchema(
                drivers: BuiltIns.drivers, sinks: BuiltIns.sinks, channels: BuiltIns.channels) + "\n")
    }
}
