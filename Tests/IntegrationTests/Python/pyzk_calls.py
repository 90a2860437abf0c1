"""Makes every public call of pyzk's class ZK against a terminal and prints what came of each.

usage: pyzk_calls.py HOST PORT tcp|udp

The terminal has 20 people and 30 records, and lets 1002 punch when somebody captures. One JSON document:
{"calls": [[call, result], ...], "missing": [public names of ZK that were not called]}.
"""
import datetime
import hashlib
import json
import sys

from zk import ZK, const
from zk.finger import Finger

HOST, PORT, TRANSPORT = sys.argv[1], int(sys.argv[2]), sys.argv[3]
SAMPLE = bytes(range(1, 200))

calls = []
called = set()


def text(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {value[key]}" for key in value)
    return str(value)


def call(name, work, note=None):
    """Makes a call, and writes down its result as people read it."""
    called.add(name.split("(")[0])
    try:
        result = text(work())
    except Exception as error:  # What pyzk raises is a result as well.
        result = f"raises {type(error).__name__}: {error}"
    calls.append([name, result if note is None else f"{result} ({note})"])


def connect():
    device = ZK(HOST, port=PORT, timeout=10, ommit_ping=True, force_udp=TRANSPORT == "udp")
    return device.connect()


def person(found):
    if found is None:
        return "nobody"
    fields = [found.uid, found.user_id, found.name, found.privilege, found.password or "-", found.card]
    return " ".join(str(field) for field in fields)


def finger(found):
    if found is None:
        return None
    digest = hashlib.sha256(found.template).hexdigest()[:8]
    return f"finger {found.fid} of slot {found.uid}, {found.size} bytes, {digest}"


def somebody(zk, uid):
    return next((found for found in zk.get_users() if found.uid == uid), None)


def captured(zk):
    for event in zk.live_capture(new_timeout=10):
        zk.end_live_capture = True
        return None if event is None else f"{event.user_id} at {event.timestamp:%H:%M}, state {event.punch}"


def restarted(zk):
    zk.restart()
    return f"connected {zk.is_connect}"


def powered_off(zk):
    zk.poweroff()
    return f"connected {zk.is_connect}"


def described(zk):
    return str(zk).replace(f":{PORT} ", ":PORT ")


zk = connect()
call("connect()", lambda: zk.is_connect)
call("set_time(2024-02-29 13:45:00)", lambda: zk.set_time(datetime.datetime(2024, 2, 29, 13, 45)))
call("get_time()", lambda: zk.get_time().strftime("%Y-%m-%d %H:%M"))
call("live_capture()", lambda: captured(zk))
# Left by its generator: the subscription is ended as its last lines do.
call("reg_event(0)", lambda: zk.reg_event(0))
call("set_sdk_build_1()", lambda: zk.set_sdk_build_1())
for name in [
    "get_serialnumber", "get_platform", "get_mac", "get_device_name", "get_firmware_version", "get_fp_version",
    "get_face_version", "get_face_fun_on", "get_extend_fmt", "get_user_extend_fmt", "get_compat_old_firmware",
    "get_pin_width", "get_network_params",
]:
    call(f"{name}()", getattr(zk, name))
call("read_sizes()", lambda: zk.read_sizes())
call("str(zk)", lambda: described(zk))
call("get_users()", lambda: f"{len(zk.get_users())} people, {person(somebody(zk, 1))}")
call(
    "set_user(uid=777, …)",
    lambda: [
        zk.set_user(uid=777, name="Zoe Quinn", privilege=14, password="4711", user_id="90777", card=12345678),
        person(somebody(zk, 777)),
    ][1])
call("set_user() of a taken slot", lambda: [zk.set_user(uid=777, name="Zoe Marsh", user_id="90777"),
                                            person(somebody(zk, 777))][1], "replaced")
call("get_templates()", lambda: f"{len(zk.get_templates())} templates, {finger(zk.get_templates()[0])}")
call("get_user_template(uid=1, temp_id=6)", lambda: finger(zk.get_user_template(uid=1, temp_id=6)))
call("get_user_template(user_id='1001', temp_id=6)", lambda: finger(
    zk.get_user_template(uid=0, temp_id=6, user_id="1001")))
call("get_user_template() of no finger", lambda: finger(zk.get_user_template(uid=1, temp_id=0)))
call(
    "save_user_template(777, 2 fingers)",
    lambda: [
        zk.save_user_template(777, [Finger(777, 2, 1, SAMPLE), Finger(777, 3, 1, SAMPLE[::-1])]),
        finger(zk.get_user_template(uid=777, temp_id=2)) + "; " + finger(zk.get_user_template(uid=777, temp_id=3)),
    ][1])
call("delete_user_template(uid=777, temp_id=2)", lambda: [
    zk.delete_user_template(uid=777, temp_id=2), finger(zk.get_user_template(uid=777, temp_id=2))])
call("delete_user_template(user_id='90777', temp_id=3)", lambda: zk.delete_user_template(temp_id=3, user_id="90777"))
call("enroll_user(uid=2, temp_id=4)", lambda: [
    zk.enroll_user(uid=2, temp_id=4), zk.get_user_template(uid=2, temp_id=4) is not None])
call("cancel_capture()", lambda: zk.cancel_capture())
call("verify_user()", lambda: zk.verify_user())
call("delete_user(uid=777)", lambda: [zk.delete_user(uid=777), person(somebody(zk, 777))][1])
call("delete_user(user_id='1020')", lambda: [zk.delete_user(user_id="1020"), person(somebody(zk, 20))][1])
call("get_attendance()", lambda: f"{len(zk.get_attendance())} records, the last of {zk.get_attendance()[-1].user_id}")
call("read_with_buffer(CMD_ATTLOG_RRQ)", lambda: f"{zk.read_with_buffer(const.CMD_ATTLOG_RRQ)[1]} bytes")
call("free_data()", lambda: zk.free_data())
call("refresh_data()", lambda: zk.refresh_data())
call("disable_device()", lambda: zk.disable_device())
call("enable_device()", lambda: zk.enable_device())
call("test_voice(10)", lambda: zk.test_voice(10))
call("unlock(3)", lambda: zk.unlock(3))
call("clear_attendance()", lambda: f"{zk.clear_attendance()}, {len(zk.get_attendance())} records are left")
call("clear_data()", lambda: zk.clear_data())
call("get_serialnumber() after all this", lambda: zk.get_serialnumber())
call("restart()", lambda: restarted(zk))
zk = connect()
call("poweroff()", lambda: powered_off(zk))
zk = connect()
call("disconnect()", lambda: zk.disconnect())

public = {name for name in dir(ZK) if not name.startswith("_") and callable(getattr(ZK, name))}
print(json.dumps({"calls": calls, "missing": sorted(public - called)}))
