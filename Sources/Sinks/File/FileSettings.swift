public import DeviceKit

/// What `type: file` takes.
public struct FileSettings: SinkSettings, Hashable {
    static let pathSetting = Setting.path(
        "path",
        "The file, which belongs to Muster. {device} and {date} stand for the device's id and the local day of the punch.",
        example: "audit/{device}-{date}.jsonl")
    static let formatSetting = Setting<PunchLine.Format>.choice(
        "format", default: .jsonl, "One JSON object a line, or comma-separated values with a first line of names.")

    static let rotateSetting = Setting<ByteCount>.byteCount(
        "rotate", in: ByteCount(1_000)...ByteCount(1 << 40),
        "A file of this size is put aside under a name with the time in it; never by default.", example: "100MB"
    ).optional
    static let compressSetting = Setting.bool(
        "compress", default: false, "Compresses files that were put aside, with gzip.")
    static let keepSetting = Setting<Int>.integer(
        "keep", in: 1...100_000, "How many files that were put aside are kept; all by default.", unit: "files"
    ).optional

    public static let schema = SettingsSchema(pathSetting, formatSetting, rotateSetting, compressSetting, keepSetting)

    let path: PathTemplate
    let format: PunchLine.Format
    /// `nil`: a file grows for ever.
    let rotation: FileRotation?

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        let text = try values.value(Self.pathSetting)
        do throws(PathTemplate.Problem) {
            path = try PathTemplate(text)
        } catch {
            throw values.error("path", error.message, code: "wrong-form")
        }
        format = try values.value(Self.formatSetting)
        let (compresses, keep) = (try values.value(Self.compressSetting), try values.value(Self.keepSetting))
        rotation = try values.value(Self.rotateSetting).map {
            FileRotation(size: $0.bytes, compresses: compresses, keptCount: keep)
        }
        if rotation == nil, compresses || keep != nil {
            throw values.error(
                compresses ? "compress" : "keep", "is of no use without rotate",
                hint: "say at which size: rotate: 100MB")
        }
    }
}
