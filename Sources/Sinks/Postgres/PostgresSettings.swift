public import DeviceKit
internal import Postgres

/// What `type: postgres` takes.
public struct PostgresSettings: SinkSettings, Hashable {
    /// How the table of punches is divided.
    public enum Partition: String, Sendable, Hashable, CaseIterable {
        case none
        /// One partition for each month (UTC), made ahead.
        case month
    }

    static let urlSetting = Setting.secret(
        "url",
        "Connection string of libpq: postgresql://user:password@host/database?sslmode=verify-full, or key=value.",
        example: "${DATABASE_URL}")
    static let schemaSetting = Setting.string(
        "schema", default: "public", "The schema of the tables. It is made when it does not exist.", maximumLength: 63,
        example: "muster")
    static let partitionSetting = Setting<Partition>.choice(
        "partition", default: Partition.none,
        "month keeps each month's punches in a partition of its own. Decided when the tables are made.")
    static let notifySetting = Setting.string(
        "notify", default: "attendance",
        "The channel on which listeners hear of new punches (LISTEN); empty for silence.", maximumLength: 63)
    static let migrateSetting = Setting.bool(
        "migrate", default: true, "Whether the tables are made and brought up to date; false only checks them.")
    static let timeoutSetting = Setting.duration(
        "timeout", default: .seconds(30), in: .seconds(1) ... .seconds(3_600),
        "What connecting, or one statement, may take.")

    public static let schema = SettingsSchema(
        urlSetting, schemaSetting, partitionSetting, notifySetting, migrateSetting, timeoutSetting)

    let url: Secret
    let schemaName: String
    let partition: Partition
    let channel: String
    let isMigrating: Bool
    let timeout: Duration

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        url = try values.value(Self.urlSetting)
        guard PostgresConnection.isWellFormed(url.reveal()) else {
            throw values.error(
                "url", "is not a connection string of PostgreSQL", code: "wrong-form",
                hint: "write postgresql://user:password@host:5432/database or host=… dbname=…; percent-encode signs "
                    + "such as @ and / in a password")
        }
        schemaName = try values.value(Self.schemaSetting)
        partition = try values.value(Self.partitionSetting)
        channel = try values.value(Self.notifySetting)
        // PostgreSQL counts bytes: it would cut a longer name and then not find it.
        for (setting, name) in [(Self.schemaSetting, schemaName), (Self.notifySetting, channel)]
        where name.utf8.count > 63 {
            throw values.error(setting.key, "'\(name)' is longer than 63 bytes", code: "out-of-range")
        }
        isMigrating = try values.value(Self.migrateSetting)
        timeout = try values.value(Self.timeoutSetting)
    }
}
