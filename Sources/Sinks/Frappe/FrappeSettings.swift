public import DeviceKit
internal import Web

/// What `type: frappe` takes.
public struct FrappeSettings: SinkSettings, Hashable {
    /// Where the method stands that takes punches: it moved when Frappe HR left ERPNext.
    public enum App: String, Sendable, Hashable, CaseIterable {
        /// Frappe HR, with version 14 and later.
        case hrms
        /// ERPNext 12 and 13.
        case erpnext
    }

    static let urlSetting = Setting.string(
        WebSettings.urlKey, "The site.", maximumLength: 2_048, example: "https://hr.example.com")
    static let keySetting = Setting.string(
        "api_key", "The API key of a user who may create Employee Checkins and write their level-1 fields.",
        example: "${FRAPPE_API_KEY}")
    static let secretSetting = Setting.secret(
        "api_secret", "The API secret of that user.", example: "${FRAPPE_API_SECRET}")
    static let zoneSetting = Setting.timeZone(
        "site_timezone", "The time zone of the site, from its System Settings: its times name none.")
    static let appSetting = Setting<App>.choice(
        "app", default: .hrms, "The app that takes punches: hrms, or erpnext before version 14.")
    static let fieldSetting = Setting.string(
        "employee_field", default: "attendance_device_id",
        "The field of Employee that holds the id that people have on the terminals.", maximumLength: 140)
    static let skipSetting = Setting.bool(
        "skip_auto_attendance", default: false, "Keeps the check-ins out of automatic attendance.")
    static let latitudeSetting = Setting.number(
        "latitude", in: -90...90, "Where the terminals are, for sites that ask for it.", unit: "degrees"
    ).optional
    static let longitudeSetting = Setting.number(
        "longitude", in: -180...180, "Where the terminals are, for sites that ask for it.", unit: "degrees"
    ).optional
    static let concurrencySetting = Setting.integer(
        "concurrency", default: 3, in: 1...4, "How many people's punches are sent at the same time.")

    public static let schema = SettingsSchema(
        [
            urlSetting, keySetting, secretSetting, zoneSetting, appSetting, fieldSetting, skipSetting, latitudeSetting,
            longitudeSetting, concurrencySetting,
        ] + WebSettings.all)

    struct Coordinates: Sendable, Hashable {
        let latitude: Double
        let longitude: Double
    }

    let url: String
    let apiKey: String
    let apiSecret: Secret
    let zone: DeviceTimeZone
    let app: App
    let employeeField: String
    let skipsAutoAttendance: Bool
    /// `nil` when none are sent.
    let coordinates: Coordinates?
    let concurrency: Int
    let web: WebSettings

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        url = try WebSettings.address(values, Self.urlSetting)
        apiKey = try values.value(Self.keySetting)
        apiSecret = try values.value(Self.secretSetting)
        zone = try values.value(Self.zoneSetting)
        app = try values.value(Self.appSetting)
        employeeField = try values.value(Self.fieldSetting)
        skipsAutoAttendance = try values.value(Self.skipSetting)
        switch (try values.value(Self.latitudeSetting), try values.value(Self.longitudeSetting)) {
        case (let latitude?, let longitude?): coordinates = Coordinates(latitude: latitude, longitude: longitude)
        case (nil, nil): coordinates = nil
        case (let latitude, _):
            throw values.error(
                latitude == nil ? Self.longitudeSetting.key : Self.latitudeSetting.key,
                "latitude and longitude belong together", hint: "give both or neither")
        }
        concurrency = try values.value(Self.concurrencySetting)
        web = try WebSettings(values)
    }
}
