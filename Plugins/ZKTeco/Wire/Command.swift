/// What a client asks for. The vendor's names stand in the comments.
public enum Command {
    /// CMD_DB_RRQ: templates, inside ``prepareBuffer``.
    public static let templatesRead: UInt16 = 7
    /// CMD_USER_WRQ
    public static let userWrite: UInt16 = 8
    /// CMD_USERTEMP_RRQ: the user table, inside ``prepareBuffer`` or direct with payload 5.
    public static let usersRead: UInt16 = 9
    /// CMD_USERTEMP_WRQ: the oldest way to write a template, without public layout.
    public static let templateWrite: UInt16 = 10
    /// CMD_OPTIONS_RRQ
    public static let optionRead: UInt16 = 11
    /// CMD_OPTIONS_WRQ
    public static let optionWrite: UInt16 = 12
    /// CMD_ATTLOG_RRQ: the log, inside ``prepareBuffer`` or direct.
    public static let logRead: UInt16 = 13
    /// CMD_CLEAR_DATA
    public static let clearData: UInt16 = 14
    /// CMD_CLEAR_ATTLOG
    public static let clearLog: UInt16 = 15
    /// CMD_DELETE_USER
    public static let userDelete: UInt16 = 18
    /// CMD_DELETE_USERTEMP
    public static let templateDelete: UInt16 = 19
    /// CMD_CLEAR_ADMIN
    public static let clearAdministrators: UInt16 = 20
    /// CMD_USERGRP_RRQ
    public static let userGroupRead: UInt16 = 21
    /// CMD_USERGRP_WRQ
    public static let userGroupWrite: UInt16 = 22
    /// CMD_USERTZ_RRQ
    public static let userZonesRead: UInt16 = 23
    /// CMD_USERTZ_WRQ
    public static let userZonesWrite: UInt16 = 24
    /// CMD_GRPTZ_RRQ
    public static let groupZonesRead: UInt16 = 25
    /// CMD_GRPTZ_WRQ
    public static let groupZonesWrite: UInt16 = 26
    /// CMD_TZ_RRQ
    public static let timeZoneRead: UInt16 = 27
    /// CMD_TZ_WRQ
    public static let timeZoneWrite: UInt16 = 28
    /// CMD_ULG_RRQ
    public static let unlockGroupsRead: UInt16 = 29
    /// CMD_ULG_WRQ
    public static let unlockGroupsWrite: UInt16 = 30
    /// CMD_UNLOCK
    public static let unlock: UInt16 = 31
    /// CMD_CLEAR_ACC
    public static let clearAccess: UInt16 = 32
    /// CMD_CLEAR_OPLOG
    public static let clearOperationLog: UInt16 = 33
    /// CMD_OPLOG_RRQ
    public static let operationLogRead: UInt16 = 34
    /// CMD_GET_FREE_SIZES
    public static let counters: UInt16 = 50
    /// CMD_ENABLE_CLOCK: whether the colon of the clock blinks.
    public static let enableClock: UInt16 = 57
    /// CMD_STARTVERIFY
    public static let startVerify: UInt16 = 60
    /// CMD_STARTENROLL
    public static let startEnroll: UInt16 = 61
    /// CMD_CANCELCAPTURE
    public static let cancelCapture: UInt16 = 62
    /// CMD_STATE_RRQ
    public static let stateRead: UInt16 = 64
    /// CMD_WRITE_LCD
    public static let writeLCD: UInt16 = 66
    /// CMD_CLEAR_LCD
    public static let clearLCD: UInt16 = 67
    /// CMD_GET_PINWIDTH
    public static let pinWidth: UInt16 = 69
    /// CMD_DOORSTATE_RRQ
    public static let doorState: UInt16 = 75
    /// CMD_VERIFY_WRQ
    public static let verifyStyleWrite: UInt16 = 79
    /// CMD_VERIFY_RRQ
    public static let verifyStyleRead: UInt16 = 80
    /// CMD_TMP_WRITE: stores an upload as one template.
    public static let templateStore: UInt16 = 87
    /// CMD_GET_USERTEMP
    public static let userTemplateRead: UInt16 = 88
    /// CMD_SAVE_USERTEMPS
    public static let saveUserTemplates: UInt16 = 110
    /// CMD_CHECKSUM_BUFFER
    public static let uploadChecksum: UInt16 = 119
    /// CMD_DEL_USER_TEMP
    public static let userTemplateDelete: UInt16 = 134
    /// CMD_GET_TIME
    public static let timeRead: UInt16 = 201
    /// CMD_SET_TIME
    public static let timeWrite: UInt16 = 202
    /// CMD_REG_EVENT; also the code of every live event.
    public static let registerEvents: UInt16 = 500
    /// CMD_CONNECT
    public static let connect: UInt16 = 1000
    /// CMD_EXIT
    public static let exit: UInt16 = 1001
    /// CMD_ENABLEDEVICE
    public static let enableDevice: UInt16 = 1002
    /// CMD_DISABLEDEVICE
    public static let disableDevice: UInt16 = 1003
    /// CMD_RESTART
    public static let restart: UInt16 = 1004
    /// CMD_POWEROFF
    public static let powerOff: UInt16 = 1005
    /// CMD_SLEEP
    public static let sleep: UInt16 = 1006
    /// CMD_RESUME
    public static let resume: UInt16 = 1007
    /// CMD_REFRESHDATA
    public static let refreshData: UInt16 = 1013
    /// CMD_REFRESHOPTION
    public static let refreshOption: UInt16 = 1014
    /// CMD_TESTVOICE
    public static let testVoice: UInt16 = 1017
    /// CMD_GET_VERSION
    public static let firmwareVersion: UInt16 = 1100
    /// CMD_AUTH
    public static let authenticate: UInt16 = 1102
    /// CMD_PREPARE_DATA: announces an upload, or the frames of a chunk.
    public static let prepareData: UInt16 = 1500
    /// CMD_DATA
    public static let data: UInt16 = 1501
    /// CMD_FREE_DATA
    public static let freeData: UInt16 = 1502
    /// CMD_DATA_WRRQ, pyzk's _CMD_PREPARE_BUFFER
    public static let prepareBuffer: UInt16 = 1503
    /// CMD_DATA_RDY, pyzk's _CMD_READ_BUFFER
    public static let readBuffer: UInt16 = 1504
}

/// What a terminal answers.
public enum Reply {
    /// CMD_ACK_OK; also how a client acknowledges a live event.
    public static let ok: UInt16 = 2000
    /// CMD_ACK_ERROR
    public static let error: UInt16 = 2001
    /// CMD_ACK_UNAUTH
    public static let unauthorised: UInt16 = 2005
    /// Locked out; secure firmware, one public source.
    public static let locked: UInt16 = 2032
    /// The challenge of secure firmware to CONNECT; one public source.
    public static let secureChallenge: UInt16 = 6001
    /// To PREPARE_BUFFER, from a terminal in access-control mode (fananimi/pyzk#170).
    public static let accessControlMode: UInt16 = 4989
    /// CMD_ACK_ERROR_DATA
    public static let badData: UInt16 = 65531
    /// CMD_ACK_ERROR_CMD
    public static let badCommand: UInt16 = 65533
    /// CMD_ACK_UNKNOWN
    public static let unknown: UInt16 = 65535
}

/// Flags of live events, in the session field of the event and in the mask of a registration.
public enum EventFlag {
    /// EF_ATTLOG
    public static let attendance: UInt16 = 1
    /// EF_FINGER
    public static let finger: UInt16 = 2
    /// EF_ENROLLFINGER
    public static let enrollFinger: UInt16 = 8
    /// EF_VERIFY
    public static let verify: UInt16 = 128
    /// EF_FPFTR
    public static let fingerScore: UInt16 = 256
    /// EF_ALARM
    public static let alarm: UInt16 = 512
}
