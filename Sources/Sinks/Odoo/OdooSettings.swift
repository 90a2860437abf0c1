public import DeviceKit
internal import Web

/// What `type: odoo` takes.
public struct OdooSettings: SinkSettings, Hashable {
    /// How the server is spoken to.
    public enum API: String, Sendable, Hashable, CaseIterable {
        /// `/json/2`, with Odoo 19 and later.
        case json2
        /// `/jsonrpc`, up to Odoo 21.
        case jsonrpc
    }

    static let urlSetting = Setting.string(
        WebSettings.urlKey, "The server.", maximumLength: 2_048, example: "https://odoo.example.com")
    static let databaseSetting = Setting.optionalString(
        "database", "The database; jsonrpc needs it, json2 only where the server has several.", maximumLength: 200)
    static let apiSetting = Setting<API>.choice(
        "api", default: .json2, "json2 with Odoo 19 and later, jsonrpc before.")
    static let loginSetting = Setting.optionalString(
        "login", "The user whom the API key belongs to; for jsonrpc.", maximumLength: 200)
    static let keySetting = Setting.secret(
        "api_key", "An API key of a user who may create, change and delete attendances of all employees.",
        example: "${ODOO_API_KEY}")
    static let fieldSetting = Setting.string(
        "employee_field", default: "barcode",
        "The field of hr.employee that holds the id that people have on the terminals: barcode, pin or one of your own.",
        maximumLength: 100)
    static let dayBeginsSetting = Setting.duration(
        "day_begins", default: .zero, in: .zero ... .seconds(86_399),
        "How long after midnight a working day begins: an attendance ends in the day in which it began.",
        example: "4h")
    static let repeatSetting = Setting.duration(
        "repeat", default: .seconds(120), in: .zero ... .seconds(3_600),
        "A punch in the same direction so soon after the one before is the same one.")

    public static let schema = SettingsSchema(
        [
            urlSetting, databaseSetting, apiSetting, loginSetting, keySetting, fieldSetting, dayBeginsSetting,
            repeatSetting,
        ] + WebSettings.all)

    let url: String
    let database: String?
    let api: API
    let login: String?
    let apiKey: Secret
    let employeeField: String
    let rule: OdooDay.Rule
    let web: WebSettings

    public init(_ values: SettingsValues) throws(ConfigurationError) {
        url = try WebSettings.address(values, Self.urlSetting)
        database = try values.value(Self.databaseSetting)
        api = try values.value(Self.apiSetting)
        login = try values.value(Self.loginSetting)
        apiKey = try values.value(Self.keySetting)
        employeeField = try values.value(Self.fieldSetting)
        rule = OdooDay.Rule(
            dayBegins: try values.value(Self.dayBeginsSetting).components.seconds,
            repeatSeconds: try values.value(Self.repeatSetting).components.seconds)
        web = try WebSettings(values)
        if api == .jsonrpc, database == nil || login == nil {
            throw values.error(
                Self.apiSetting.key, "jsonrpc needs database and login", hint: "give both, or use json2")
        }
    }
}
