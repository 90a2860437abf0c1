#!/usr/bin/env python3
"""Fills the disk of the journal at many different places of its writes, under live load, while one host runs.

The data directory stands on a small tmpfs. For each of the positions a ballast file leaves 0 to 200 KiB free, so that
another write is the one that fails: a page of the log, a checkpoint, a commit. Then the ballast goes away.

usage: disk_full.py MUSTER [--positions 200] [--keep]     (as root: it mounts a tmpfs)
Shows that nothing is acknowledged while the disk is full, how long the host takes to go on by itself (at most 10 s),
and that the journal holds in the end exactly what the terminal holds.
"""
import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Shared"))
from cluster import free_port, json_lines, wait_for_port  # noqa: E402
from kill9 import compare, key, truth_key  # noqa: E402


class Rig:
    def __init__(self, muster, directory):
        self.muster, self.directory = muster, directory
        self.disk = os.path.join(directory, "disk")
        os.mkdir(self.disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", self.disk], check=True)
        self.truth, self.observed = (os.path.join(directory, name) for name in ("truth.jsonl", "observed.jsonl"))
        self.log, self.config = os.path.join(directory, "host.log"), os.path.join(directory, "muster.yaml")
        self.ballast = os.path.join(self.disk, "ballast")
        port = free_port()
        self.emulator = subprocess.Popen(
            [muster, "emulate", "zkteco", "--listen", f"127.0.0.1:{port}", "--records", "0", "--people", "500",
             "--rate", "150/s", "--capacity", "2000000", "--truth", self.truth, "--observe", self.observed],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(port)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"data: {self.disk}/data\ntimezone: UTC\n"
                       f"sinks:\n  audit: {{type: file, path: {directory}/audit.jsonl}}\n"
                       f"devices:\n  terminal:\n    driver: zkteco\n"
                       f"    settings: {{address: 127.0.0.1, port: {port}}}\n"
                       "    schedule: {poll: '* * * * *', window: all}\n    sinks: [audit]\n")
        self.recorded, self.is_subscribed, self.acknowledged, self.offset = [], False, 0, 0
        self.start()

    def start(self):
        self.host = subprocess.Popen([self.muster, "run", "--config", self.config], stdout=subprocess.DEVNULL,
                                     stderr=open(self.log, "a"))

    def look(self):
        """How many events are acknowledged. The terminal sends them one after the other and is answered in order."""
        with open(self.observed, "rb") as file:
            file.seek(self.offset)
            text = file.read()
        whole = text[:text.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            event = json.loads(line)
            if event["event"] == "recorded":
                self.recorded.append(truth_key(event))
            elif event["event"] == "sent" and not self.is_subscribed:
                self.recorded, self.is_subscribed = self.recorded[-1:], True  # Those before were not sent.
            elif event["event"] == "acknowledged":
                self.acknowledged += 1
        return self.acknowledged

    def fill(self, remaining):
        """Leaves so many bytes free."""
        with open(self.ballast, "wb") as file:
            state = os.statvfs(self.disk)
            count = state.f_bavail * state.f_frsize - remaining
            while count > 0:
                try:
                    count -= file.write(b"\0" * min(count, 1 << 20))
                    file.flush()
                except OSError:  # The host was quicker.
                    return

    def free(self):
        os.unlink(self.ballast)

    def full_count(self):
        with open(self.log, encoding="utf-8") as file:
            return sum("the disk is full" in line for line in file)

    def journal(self):
        with sqlite3.connect(f"file:{self.disk}/data/journal.sqlite?mode=ro", uri=True, timeout=10) as journal:
            return {("terminal", code, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at // 1000)))
                    for code, at in journal.execute("SELECT code, time FROM punches")}

    def wait(self, condition, seconds):
        """Seconds until the condition holds; None when it does not in time."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            if self.host.poll() is not None:
                raise SystemExit(f"the host ended with {self.host.returncode}: see {self.log}")
            if condition():
                return time.monotonic() - start
            time.sleep(0.02)
        return None

    def remove(self, keep):
        for child in (self.host, self.emulator):
            if child.poll() is None:
                child.kill()
                child.wait()
        subprocess.run(["umount", "-l", self.disk], check=False)
        if keep:
            print(f"kept: {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def one_position(rig, remaining):
    """Seconds until the host goes on; raises when something is acknowledged while the disk is full."""
    fulls = rig.full_count()
    rig.fill(remaining)
    if rig.wait(lambda: rig.full_count() > fulls, 60) is None:
        raise SystemExit(f"with {remaining} bytes left the disk never became full")
    time.sleep(0.1)  # What was on its way to the terminal arrives.
    before = rig.look()
    time.sleep(0.3)
    after = rig.look()
    if after != before:
        raise SystemExit(f"with {remaining} bytes left {after - before} events were acknowledged on a full disk")
    if missing := set(rig.recorded[:after]) - rig.journal():
        raise SystemExit(f"{len(missing)} acknowledged events are not in the journal, for example {missing.pop()}")
    rig.free()
    seconds = rig.wait(lambda: rig.look() > after, 30)
    if seconds is None:
        raise SystemExit("the host did not go on within 30 s of space returning")
    return seconds


def start_full(rig, remaining):
    """Seconds until a host that was killed, and started on a full disk, goes on."""
    rig.fill(remaining)
    rig.host.kill()
    rig.host.wait()
    rig.start()
    time.sleep(2)
    if rig.host.poll() is not None:
        raise SystemExit(f"started with {remaining} bytes left the host ended with {rig.host.returncode}")
    rig.free()
    after = rig.look()
    seconds = rig.wait(lambda: rig.look() > after, 30)
    if seconds is None:
        raise SystemExit("the host that was started on a full disk did not go on")
    return seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("--positions", type=int, default=200)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="muster-full-")
    rig, verdict = Rig(os.path.abspath(options.muster), directory), False
    try:
        rig.wait(lambda: rig.look() > 20, 30)
        waits = []
        for number in range(options.positions):
            waits.append(one_position(rig, number * 200 * 1024 // options.positions))
            if (number + 1) % 20 == 0:
                print(f"position {number + 1}: journal {len(rig.journal())}, longest resumption {max(waits):.1f} s",
                      flush=True)
        starts = [start_full(rig, remaining) for remaining in (0, 4096, 16384, 65536)]
        rig.emulator.stdin.write(b"rate 0/s\n")
        rig.emulator.stdin.flush()
        time.sleep(65)  # The poll of the next minute brings what was sent while the disk was full.
        rig.host.send_signal(signal.SIGTERM)
        code = rig.host.wait(timeout=20)
        output = subprocess.run([rig.muster, "punches", "--config", rig.config, "--format", "jsonl", "--limit",
                                 "10000000"], check=True, capture_output=True, text=True).stdout
        with open(os.path.join(directory, "journal.jsonl"), "w", encoding="utf-8") as file:
            file.write(output)
        journal = [key(punch) for punch in json_lines(os.path.join(directory, "journal.jsonl"))]
        print(f"full at {options.positions} positions, told {rig.full_count()} times; nothing acknowledged while full; "
              f"went on by itself within {max(waits):.1f} s (goal 10), median {sorted(waits)[len(waits) // 2]:.1f} s; "
              f"started on a full disk {len(starts)} times, went on within {max(starts):.1f} s; exit {code}")
        truth = {truth_key(record) for record in json_lines(rig.truth)}
        verdict = compare("journal against the terminal", truth, journal)
        verdict &= compare("file sink against the journal", journal,
                           [key(line) for line in json_lines(os.path.join(directory, "audit.jsonl"))])
        verdict &= max(waits) <= 10 and code == 0
    finally:
        rig.remove(options.keep or not verdict)
    print("PASS" if verdict else "FAIL")
    return 0 if verdict else 1


if __name__ == "__main__":
    sys.exit(main())
