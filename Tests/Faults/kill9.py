#!/usr/bin/env python3
"""Kills `muster run` with SIGKILL at random moments under load, then judges.

Two devices are loaded: a ZKTeco terminal (our emulator, which writes every record to a truth file before it sends it)
and the simulator driver, whose log is a function of its seed and of the time. After the last restart the journal must
hold exactly what the devices hold, and the file sink exactly what the journal holds: nothing missing, nothing twice.

usage: kill9.py MUSTER [--kills 50] [--seed 1] [--records 20000] [--keep]
Prints one line a kill and a verdict; exits 0 only when everything agrees and the kills really hit a working host.
"""
import argparse
import collections
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def json_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


class Rig:
    """Two devices under load and a host with some sinks; by default a file."""

    def __init__(self, muster, directory, records, emulator_rate, simulator_rate, sinks=None):
        self.muster, self.directory, self.port = muster, directory, free_port()
        self.truth = os.path.join(directory, "truth.jsonl")
        self.audit = os.path.join(directory, "audit.jsonl")
        sinks = sinks or {"audit": f"{{type: file, path: {self.audit}}}"}
        self.emulator = subprocess.Popen(
            [muster, "emulate", "zkteco", "--listen", f"127.0.0.1:{self.port}", "--records", str(records),
             "--people", "200", "--rate", emulator_rate, "--truth", self.truth, "--pacing", "0ms"],
            stdin=subprocess.PIPE, stdout=open(os.path.join(directory, "emulator.log"), "w"),
            stderr=subprocess.STDOUT)
        # Without a start, a week at this rate would be a log of millions.
        self.start_of_simulation = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 60))
        self.config = self.write_config("muster.yaml", "data", sinks, simulator_rate)
        self.judge_config = self.write_config("judge.yaml", "judge-data", {}, simulator_rate)

    def write_config(self, name, data, sinks, simulator_rate):
        path = os.path.join(self.directory, name)
        listed = f"    sinks: [{', '.join(sinks)}]\n" if sinks else ""
        sinks = "sinks:\n" + "".join(f"  {name}: {value}\n" for name, value in sinks.items()) if sinks else ""
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                f"data: {os.path.join(self.directory, data)}\n"
                "timezone: UTC\n"
                f"{sinks}"
                "devices:\n"
                "  terminal:\n"
                "    driver: zkteco\n"
                f"    settings: {{address: 127.0.0.1, port: {self.port}}}\n"
                "    schedule: {poll: '* * * * *', window: all, capture: true}\n"
                f"{listed}"
                "  simulated:\n"
                "    driver: simulator\n"
                f"    settings: {{people: 200, rate: {simulator_rate}, seed: 7, "
                f"start: '{self.start_of_simulation}'}}\n"
                "    schedule: {poll: '* * * * *', window: all, capture: true}\n"
                f"{listed}")
        return path

    def start(self):
        log = open(os.path.join(self.directory, "host.log"), "a")
        return subprocess.Popen(
            [self.muster, "run", "--config", self.config], stdout=log, stderr=log)

    def punches(self, config, *arguments):
        output = subprocess.run(
            [self.muster, "punches", "--config", config, "--format", "jsonl", "--limit", "10000000", *arguments],
            check=True, capture_output=True, text=True).stdout
        return [json.loads(line) for line in output.splitlines() if line.strip()]

    def journal_count(self):
        try:
            return len(self.punches(self.config))
        except (subprocess.CalledProcessError, json.JSONDecodeError):
            return 0


def key(punch):
    return (punch["device"], punch["code"], punch["time"])


def truth_key(record):
    return ("terminal", record["code"], record["local_time"].replace(" ", "T") + "Z")


def compare(name, expected, actual):
    """Both are multisets; what is expected once must be there once."""
    expected, actual = collections.Counter(expected), collections.Counter(actual)
    missing, spurious = expected - actual, actual - expected
    doubled = {item: count for item, count in actual.items() if count > 1}
    print(f"{name}: expected {sum(expected.values())}, found {sum(actual.values())}, missing {sum(missing.values())}, "
          f"not expected {sum(spurious.values())}, doubled {len(doubled)}")
    for label, some in (("missing", missing), ("not expected", spurious), ("doubled", doubled)):
        for item in list(some)[:3]:
            print(f"  {label}: {item}")
    return not missing and not spurious and not doubled


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=20000)
    parser.add_argument("--emulator-rate", default="40/s")
    parser.add_argument("--simulator-rate", default="40/s")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    directory = tempfile.mkdtemp(prefix="muster-kill9-")
    rig = Rig(os.path.abspath(options.muster), directory, options.records, options.emulator_rate,
              options.simulator_rate)
    host, growth, verdict = None, 0, False
    try:
        before = 0
        for number in range(options.kills):
            host = rig.start()
            # From the middle of the start to the middle of steady capture.
            time.sleep(chance.choice([chance.uniform(0.02, 0.4), chance.uniform(0.4, 3.0)]))
            if host.poll() is not None:
                print(f"kill {number + 1}: the host had ended by itself with {host.returncode}")
                return 1
            host.send_signal(signal.SIGKILL)
            host.wait()
            now = rig.journal_count()
            growth += now > before
            print(f"kill {number + 1:2}: journal holds {now} (+{now - before})", flush=True)
            before = now
        host = rig.start()
        time.sleep(4)
        rig.emulator.stdin.write(b"rate 0/s\n")  # The terminal falls silent, so that it can be counted.
        rig.emulator.stdin.flush()
        time.sleep(6)
        host.send_signal(signal.SIGTERM)
        code = host.wait(timeout=15)
        host = None
        journal = rig.punches(rig.config)
        terminal = [key(punch) for punch in journal if punch["device"] == "terminal"]
        truth = [truth_key(record) for record in json_lines(rig.truth)]
        verdict = compare("terminal in the journal", set(truth), terminal)
        # The simulator's log before its newest journalled second, read afresh by a host that was never killed: within
        # that second the host was stopped, and the terminal went on.
        simulated = [punch for punch in journal if punch["device"] == "simulated"]
        newest = max(punch["time"] for punch in simulated)
        subprocess.run([rig.muster, "sync", "simulated", "--config", rig.judge_config], check=True,
                       capture_output=True)
        fresh = [key(punch) for punch in rig.punches(rig.judge_config) if punch["time"] < newest]
        verdict &= compare(
            "simulator in the journal", fresh, [key(punch) for punch in simulated if punch["time"] < newest])
        lines = json_lines(rig.audit)
        valid = [key(punch) for punch in journal if punch["is_valid"]]
        verdict &= compare("file sink against the journal", valid, [key(line) for line in lines])
        for device in ("terminal", "simulated"):
            in_journal = [key(punch) for punch in journal if punch["device"] == device and punch["is_valid"]]
            in_file = [key(line) for line in lines if line["device"] == device]
            if sorted(in_journal) == sorted(in_file) and in_file != in_journal and in_file != in_journal[::-1]:
                print(f"file sink: the order of {device} is not the journal's")
                verdict = False
        print(f"the journal grew in {growth} of {options.kills} runs that were killed; the last drain exited {code}")
        verdict &= growth >= options.kills // 3 and code == 0
    finally:
        for child in (host, rig.emulator):
            if child is not None and child.poll() is None:
                child.kill()
                child.wait()
        if options.keep or not verdict:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory)
    print("PASS" if verdict else "FAIL")
    return 0 if verdict else 1


if __name__ == "__main__":
    sys.exit(main())
