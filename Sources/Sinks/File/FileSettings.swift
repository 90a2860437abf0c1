public import DeviceKit

/// What `type: file` takes.
public struct FileSettings: SinkSettings, Hashable {
    static let pathSetting = Setting.path(
        "path",
        "The file, which belongs to Muster. {device} and {date} stand for the device's id and the local day of the punch.",
        example: "audit/{device}-{date}.jsonl")
    static let formatSetting = Setting<PunchLine.Format>.choice(
        "format", default: .jsonl, "One JSON object a line, or comma-separated values with a first line of names.")

    public static let schema = SettingsSchema(pathSetting, formatSetting)

    let path: PathTemplate
    let format: PunchLine.Format

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        let text = try values.value(Self.pathSetting)
        do throws(PathTemplate.Problem) {
            path = try PathTemplate(text)
        } catch {
            throw values.error("path", error.message, code: "wrong-form")
        }
        format = try values.value(Self.formatSetting)
    }
}
