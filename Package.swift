// swift-tools-version: 6.2
import PackageDescription

/// One set of rules for every target: Swift 6 mode, warnings as errors, and the upcoming features that keep imports
/// and existentials visible in the source.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "muster",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "muster", targets: ["muster"]),
        .library(name: "DeviceKit", targets: ["DeviceKit"]),
        .library(name: "DeviceKitTesting", targets: ["DeviceKitTesting"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        // Without its traits it needs neither the configuration library nor the whole of Foundation.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The contract. No package dependency: every plugin shares it.
        .target(name: "DeviceKit", swiftSettings: settings),
        .target(name: "DeviceKitTesting", dependencies: ["DeviceKit"], swiftSettings: settings),

        // System libraries and their thin wrappers.
        .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(name: "YAML", dependencies: ["CLibYAML", "DeviceKit"], swiftSettings: settings),
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(name: "Postgres", dependencies: ["CLibPQ"], swiftSettings: settings),
        .systemLibrary(name: "CLibMosquitto", pkgConfig: "libmosquitto", providers: [.apt(["libmosquitto-dev"])]),
        .target(name: "MQTT", dependencies: ["CLibMosquitto"], swiftSettings: settings),
        .systemLibrary(name: "CLibCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "Mail", dependencies: ["CLibCurl", "DeviceKit"], swiftSettings: settings),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        // What sinks and alert channels over HTTP share.
        .target(
            name: "Web", dependencies: ["DeviceKit", asyncHTTPClient, crypto, nioCore, nioHTTP1, nioSSL],
            swiftSettings: settings),
        // Sealed passwords for the configuration.
        .target(name: "Secrets", dependencies: ["DeviceKit", crypto], swiftSettings: settings),

        // Alerts: what is told to whom and when, and the ways to people. Neither knows the host.
        .target(name: "Alerts", dependencies: ["DeviceKit"], swiftSettings: settings),
        .target(
            name: "AlertChannels", dependencies: ["Alerts", "DeviceKit", "Mail", "Web"], swiftSettings: settings),

        // The host.
        .target(name: "Journal", dependencies: ["DeviceKit", grdb, sqlite], swiftSettings: settings),
        .target(
            name: "Sinks",
            dependencies: ["DeviceKit", "Postgres", "MQTT", "CZlib", "Web", crypto],
            swiftSettings: settings),
        .target(
            name: "MusterHost",
            dependencies: [
                "Alerts", "DeviceKit", "Journal", "YAML", coreMetrics, nioCore, nioPosix, logging, serviceLifecycle,
                unixSignals,
            ],
            swiftSettings: settings),
        // The page of metrics, as a backend of swift-metrics that knows nothing of punches.
        .target(name: "PrometheusText", dependencies: [coreMetrics], swiftSettings: settings),
        .target(
            name: "MusterAPI",
            dependencies: [
                "DeviceKit", "Journal", "MusterHost", "PrometheusText", crypto, httpTypes, hummingbird, hummingbirdCore,
                logging, nioCore, nioHTTPTypes, serviceLifecycle,
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "muster",
            dependencies: [
                "AlertChannels", "Alerts", "DeviceKit", "Journal", "MusterAPI", "MusterHost", "Postgres", "Secrets",
                "Sinks", "SimulatorDriver", "YAML",
                "ZKTecoDriver",
                "ZKTecoEmulator",
                argumentParser, logging,
            ],
            swiftSettings: settings),

        // Plugins: drivers, and the emulators that stand in for their hardware.
        .target(
            name: "SimulatorDriver", dependencies: ["DeviceKit"], path: "Plugins/Simulator", swiftSettings: settings),
        .target(name: "ZKTecoWire", dependencies: ["DeviceKit"], path: "Plugins/ZKTeco/Wire", swiftSettings: settings),
        .target(
            name: "ZKTecoDriver", dependencies: ["DeviceKit", "ZKTecoWire"], path: "Plugins/ZKTeco/Driver",
            swiftSettings: settings),
        .target(
            name: "ZKTecoEmulator", dependencies: ["DeviceKit", "ZKTecoWire", nioCore, nioPosix],
            path: "Plugins/ZKTeco/Emulator", swiftSettings: settings),

        // Tests, one target per module.
        .testTarget(name: "DeviceKitTests", dependencies: ["DeviceKit", "DeviceKitTesting"], swiftSettings: settings),
        .testTarget(name: "YAMLTests", dependencies: ["DeviceKit", "YAML"], swiftSettings: settings),
        .testTarget(
            name: "MusterHostTests",
            dependencies: [
                "Alerts", "DeviceKit", "DeviceKitTesting", "Journal", "MusterHost", nioCore, nioPosix, logging,
                serviceLifecycle,
            ],
            swiftSettings: settings),

        // Tests: one target per module.
        .testTarget(
            name: "JournalTests", dependencies: ["DeviceKit", "Journal", grdb], swiftSettings: settings),
        .testTarget(
            name: "ZKTecoTests",
            dependencies: ["DeviceKit", "DeviceKitTesting", "ZKTecoDriver", "ZKTecoEmulator", "ZKTecoWire"],
            resources: [.copy("Vectors")], swiftSettings: settings),
        .testTarget(
            name: "SinksTests", dependencies: ["DeviceKit", "DeviceKitTesting", "Sinks", "Web"],
            swiftSettings: settings),
        .testTarget(name: "AlertsTests", dependencies: ["Alerts", "DeviceKit"], swiftSettings: settings),
        .testTarget(
            name: "AlertChannelsTests",
            dependencies: ["AlertChannels", "Alerts", "DeviceKit", "DeviceKitTesting", "Mail", "Web"],
            swiftSettings: settings),
        .testTarget(name: "MailTests", dependencies: ["DeviceKit", "Mail"], swiftSettings: settings),
        .testTarget(
            name: "PrometheusTextTests", dependencies: ["PrometheusText", coreMetrics], swiftSettings: settings),
        .testTarget(name: "SecretsTests", dependencies: ["DeviceKit", "Secrets"], swiftSettings: settings),
        .testTarget(
            name: "SimulatorTests", dependencies: ["DeviceKit", "DeviceKitTesting", "SimulatorDriver"],
            swiftSettings: settings),
        // A fleet on virtual time: the machines of the host against modelled terminals. A library, so that the tests run a
        // few seeds and an optimised program several hundred.
        .target(
            name: "FleetSimulation", dependencies: ["DeviceKit", "Journal", "MusterHost"],
            path: "Tests/SimulationTests/Fleet", swiftSettings: settings),
        .executableTarget(
            name: "simulate", dependencies: ["FleetSimulation"], path: "Tests/SimulationTests/Program",
            swiftSettings: settings),
        .testTarget(
            name: "SimulationTests", dependencies: ["FleetSimulation"], path: "Tests/SimulationTests/Tests",
            swiftSettings: settings),
        .testTarget(
            name: "MusterTests", dependencies: ["DeviceKit", "MusterHost", "muster", logging], swiftSettings: settings),
        .testTarget(
            name: "MusterAPITests", dependencies: ["MusterAPI", "MusterHost", crypto, httpTypes],
            swiftSettings: settings),
        // Real sockets, child processes and other people's clients; the tests start and stop what they need.
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "DeviceKit", "DeviceKitTesting", "Journal", "MusterHost", "SimulatorDriver", "Sinks", "ZKTecoDriver",
                "ZKTecoEmulator", "muster", "AlertChannels", "Alerts", "Mail", "Web", asyncHTTPClient, logging, nioCore,
                nioHTTP1,
            ],
            resources: [.copy("Python")], swiftSettings: settings),
    ]
)
