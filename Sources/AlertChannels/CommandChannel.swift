public import Alerts
public import DeviceKit

/// Runs a program for each message, with the message as JSON on its standard input. No shell reads the words.
public struct CommandChannel: AlertChannel {
    public struct Settings: ChannelSettings, Hashable {
        static let commandSetting = Setting.list(
            "command", of: .text(maximumLength: 4_096, allowsEmpty: true), count: 1...100,
            "The program and its arguments. It reads the message as JSON and ends with 0 when it is delivered.",
            example: "[/usr/local/bin/page, --team, it]")
        static let timeoutSetting = Setting.duration(
            "timeout", default: .seconds(15), in: .milliseconds(100) ... .seconds(600),
            "A program that runs longer is ended.")

        public static let schema = SettingsSchema(commandSetting, timeoutSetting)

        let command: [String]
        let timeout: Duration

        public init(_ values: SettingsValues) throws(ConfigurationError) {
            command = try values.value(Self.commandSetting)
            timeout = try values.value(Self.timeoutSetting)
            guard command[0].contains("/") else {
                throw values.error(
                    Self.commandSetting.key, "the program needs its path", code: "wrong-form",
                    hint: "write it as /usr/bin/\(command[0])")
            }
        }
    }

    public static let manifest = ChannelManifest(
        id: "command", summary: "Runs a program with the message as JSON on its standard input.")

    private let settings: Settings
    private let directory: String
    private let runner = CommandRunner()

    public init(settings: Settings, context: ChannelContext) throws(ChannelFault) {
        self.settings = settings
        directory = context.baseDirectory
    }

    public func send(_ outgoing: AlertSend) async throws(ChannelFault) -> ChannelReceipt {
        var words = settings.command
        if !words[0].hasPrefix("/") { words[0] = directory + "/" + words[0] }
        let input = Array((AlertJSON.event(outgoing.message).text() + "\n").utf8)
        let ending = await runner.run(words, input: input, timeout: settings.timeout)
        let said = ending.output.isEmpty ? "" : ": \(ending.excerpt)"
        switch ending.reason {
        case .exited(0): return ChannelReceipt()
        // What sysexits calls a temporary failure, and what nobody explains.
        case .exited(let status): throw ChannelFault(.transient, "\(words[0]) ended with \(status)\(said)")
        case .killed(let signal): throw ChannelFault(.transient, "\(words[0]) was ended by signal \(signal)\(said)")
        case .timedOut:
            throw ChannelFault(
                .transient, "\(words[0]) ran longer than \(DurationText.format(settings.timeout)) and was ended\(said)")
        case .talkedTooMuch: throw ChannelFault(.permanent, "\(words[0]) wrote too much and was ended\(said)")
        case .notStarted(let problem): throw ChannelFault(.permanent, "\(words[0]) cannot be started: \(problem)")
        case .cancelled: throw ChannelFault(.cancelled, "interrupted")
        }
    }

    public func close() async {}
}
