"""Talks to a terminal through pyzk and prints what pyzk saw as one JSON document.

usage: pyzk_session.py HOST PORT KEY ACTION [ARGUMENT [udp]]
"""
import datetime
import json
import sys

from zk import ZK
from zk.finger import Finger
from zk.exception import ZKErrorResponse


def record(attendance):
    return {
        "uid": int(attendance.uid),
        "code": attendance.user_id,
        "local_time": attendance.timestamp.strftime("%Y-%m-%d %H:%M:%S"),
        "verification": attendance.status,
        "state": attendance.punch,
    }


def user(person):
    return {
        "uid": person.uid,
        "code": person.user_id,
        "name": person.name,
        "privilege": person.privilege,
        "password": person.password,
        "card": person.card,
    }


def info(connection):
    network = connection.get_network_params()
    connection.read_sizes()
    return {
        "serial": connection.get_serialnumber(),
        "platform": connection.get_platform(),
        "firmware": connection.get_firmware_version(),
        "device_name": connection.get_device_name(),
        "mac": connection.get_mac(),
        "fingerprint_version": connection.get_fp_version(),
        "face_version": connection.get_face_version(),
        "pin_width": connection.get_pin_width(),
        "address": network["ip"],
        "compat_old_firmware": connection.get_compat_old_firmware(),
        "users": connection.users,
        "records": connection.records,
        "records_capacity": connection.rec_cap,
    }


def controls(connection):
    """Commands that answer without data: each must leave the stream in step for the next."""
    outcome = {
        "disable": connection.disable_device(),
        "enable": connection.enable_device(),
        "refresh": connection.refresh_data(),
        "free": connection.free_data(),
        "voice": connection.test_voice(index=10),
        "unlock": connection.unlock(time=3),
        "cancel": connection.cancel_capture(),
        "verify": connection.verify_user(),
        "sdk_build": connection.set_sdk_build_1(),
        "extend_fmt": connection.get_extend_fmt(),
        "templates": len(connection.get_templates()),
        "missing_template": connection.get_user_template(uid=1, temp_id=0) is None,
    }
    outcome["serial_afterwards"] = connection.get_serialnumber()
    return outcome


def clock(connection, text):
    connection.set_time(datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S"))
    return connection.get_time().strftime("%Y-%m-%d %H:%M:%S")


def write_user(connection):
    connection.set_user(uid=777, name="Zoe Quinn", privilege=14, password="4711", user_id="90777", card=12345678)
    written = [user(person) for person in connection.get_users() if person.uid == 777]
    connection.set_user(uid=777, name="Zoe Marsh", privilege=0, password="", user_id="90777", card=0)
    replaced = [user(person) for person in connection.get_users() if person.uid == 777]
    before = len(connection.get_users())
    connection.delete_user(uid=777)
    return {
        "written": written,
        "replaced": replaced,
        "before_delete": before,
        "after_delete": len(connection.get_users()),
        "left": [user(person) for person in connection.get_users() if person.uid == 777],
    }


def template(finger):
    return {"uid": finger.uid, "finger": finger.fid, "valid": finger.valid, "bytes": finger.template.hex()}


def save_templates(connection, text):
    """Writes templates of one person as pyzk does, from JSON {"uid": 1, "templates": [{"finger": 0, "bytes": "…"}]}."""
    wanted = json.loads(text)
    fingers = [
        Finger(wanted["uid"], item["finger"], 1, bytes.fromhex(item["bytes"])) for item in wanted["templates"]]
    connection.save_user_template(wanted["uid"], fingers)
    return [template(finger) for finger in connection.get_templates() if finger.uid == wanted["uid"]]


def put_user(connection, text):
    connection.set_user(**json.loads(text))
    return True


def live(connection, count):
    events = []
    for event in connection.live_capture(new_timeout=10):
        if event is None:
            break
        events.append(record(event))
        if len(events) == count:
            connection.end_live_capture = True
    return {"events": events, "serial_afterwards": connection.get_serialnumber()}


def restart(connection):
    return {"restarted": connection.restart()}


def main():
    host, port, key, action = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    argument = sys.argv[5] if len(sys.argv) > 5 else ""
    # The default reachability probe is a ping; the TCP probe before each session stays.
    over_udp = len(sys.argv) > 6 and sys.argv[6] == "udp"
    device = ZK(host, port=port, timeout=10, password=key, ommit_ping=True, force_udp=over_udp)
    try:
        connection = device.connect()
    except ZKErrorResponse as refusal:
        print(json.dumps({"refused": str(refusal)}))
        return
    actions = {
        "info": lambda: info(connection),
        "controls": lambda: controls(connection),
        "users": lambda: [user(person) for person in connection.get_users()],
        "attendance": lambda: [record(entry) for entry in connection.get_attendance()],
        "clock": lambda: clock(connection, argument),
        "write-user": lambda: write_user(connection),
        "templates": lambda: [template(finger) for finger in connection.get_templates()],
        "save-templates": lambda: save_templates(connection, argument),
        "put-user": lambda: put_user(connection, argument),
        "live": lambda: live(connection, int(argument)),
        "clear": lambda: [connection.clear_attendance(), len(connection.get_attendance())],
        "restart": lambda: restart(connection),
    }
    print(json.dumps(actions[action]()))
    if connection.is_connect:
        connection.disconnect()


if __name__ == "__main__":
    main()
