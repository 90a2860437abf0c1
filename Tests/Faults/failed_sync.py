#!/usr/bin/env python3
"""Lets the syncs of the journal fail under live load, again and again.

A library that is loaded before the host lets fsync and fdatasync of the journal's files answer EIO. The host has to stop
with an error at the first one, without acknowledging anything after it; the next start has to hold every event that was
acknowledged, and to go on.

usage: failed_sync.py MUSTER [--rounds 20] [--seed 1] [--keep]     (needs clang, which comes with Swift, or cc)
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Shared"))
from cluster import free_port, json_lines, wait_for_port  # noqa: E402
from kill9 import compare, key, truth_key  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


class Rig:
    def __init__(self, muster, directory):
        self.muster, self.directory = muster, directory
        self.library, self.trigger = (os.path.join(directory, name) for name in ("failed_sync.so", "fail"))
        compiler = next((found for name in ("clang", "cc", "gcc") if (found := shutil.which(name))), None)
        if compiler is None:
            raise SystemExit("needs a C compiler: clang comes with Swift")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", self.library,
                        os.path.join(HERE, "failed_sync.c"), "-ldl"], check=True)
        self.truth, self.observed = (os.path.join(directory, name) for name in ("truth.jsonl", "observed.jsonl"))
        self.config = os.path.join(directory, "muster.yaml")
        port = free_port()
        self.emulator = subprocess.Popen(
            [muster, "emulate", "zkteco", "--listen", f"127.0.0.1:{port}", "--records", "0", "--people", "500",
             "--rate", "100/s", "--capacity", "2000000", "--truth", self.truth, "--observe", self.observed],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(port)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"data: {directory}/data\ntimezone: UTC\n"
                       f"sinks:\n  audit: {{type: file, path: {directory}/audit.jsonl}}\n"
                       f"devices:\n  terminal:\n    driver: zkteco\n"
                       f"    settings: {{address: 127.0.0.1, port: {port}}}\n"
                       "    schedule: {poll: '* * * * *', window: all}\n    sinks: [audit]\n")

    def start(self):
        environment = {**os.environ, "LD_PRELOAD": self.library, "FAIL_SYNCS": self.trigger}
        return subprocess.Popen([self.muster, "run", "--config", self.config], env=environment,
                                stdout=subprocess.DEVNULL, stderr=open(os.path.join(self.directory, "host.log"), "a"))

    def events(self, kind):
        return [event for event in json_lines(self.observed) if event["event"] == kind]

    def punches(self):
        path = os.path.join(self.directory, "journal.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            subprocess.run([self.muster, "punches", "--config", self.config, "--format", "jsonl", "--limit", "10000000"],
                           check=True, stdout=file)
        return [key(punch) for punch in json_lines(path)]

    def failed_syncs(self):
        path = self.trigger + ".count"
        return os.path.getsize(path) if os.path.exists(path) else 0


def one_round(rig, chance):
    """Seconds from the first failed sync to the end of the host, and events acknowledged after it was over."""
    host = rig.start()
    acknowledged = len(rig.events("acknowledged"))
    deadline = time.monotonic() + 30
    while len(rig.events("acknowledged")) < acknowledged + 20:
        if host.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the host does not work: see {rig.directory}/host.log")
        time.sleep(0.05)
    time.sleep(chance.uniform(0, 0.5))
    failed = rig.failed_syncs()
    open(rig.trigger, "w", encoding="utf-8").close()
    start = time.monotonic()
    while rig.failed_syncs() == failed:
        if time.monotonic() - start > 30:
            raise SystemExit("no sync failed")
        time.sleep(0.002)
    time.sleep(0.02)  # What was acknowledged before the failure arrives.
    before = len(rig.events("acknowledged"))
    try:
        code = host.wait(timeout=15)
    except subprocess.TimeoutExpired:
        host.kill()
        raise SystemExit("the host goes on after a failed sync") from None
    seconds = time.monotonic() - start
    after = len(rig.events("acknowledged")) - before
    os.unlink(rig.trigger)
    if code == 0 or code < 0:
        raise SystemExit(f"the host ended with {code} after a failed sync")
    return seconds, after


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    directory = tempfile.mkdtemp(prefix="muster-sync-")
    rig, host, verdict = Rig(os.path.abspath(options.muster), directory), None, False
    try:
        rounds = [one_round(rig, chance) for _ in range(options.rounds)]
        host = rig.start()
        time.sleep(3)
        rig.emulator.stdin.write(b"rate 0/s\n")
        rig.emulator.stdin.flush()
        time.sleep(3)
        host.send_signal(signal.SIGTERM)
        code = host.wait(timeout=20)
        late = sum(after for _, after in rounds)
        print(f"syncs failed in {len(rounds)} runs: the host stopped each time with an error, within "
              f"{max(seconds for seconds, _ in rounds):.2f} s; {late} events were acknowledged after the failure; "
              f"last run: exit {code}")
        journal = rig.punches()
        verdict = compare("journal against the terminal", {truth_key(record) for record in json_lines(rig.truth)}, journal)
        verdict &= compare("file sink against the journal", journal,
                           [key(line) for line in json_lines(os.path.join(directory, "audit.jsonl"))])
        verdict &= late == 0 and code == 0
    finally:
        for child in (host, rig.emulator):
            if child is not None and child.poll() is None:
                child.kill()
                child.wait()
        if options.keep or not verdict:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    print("PASS" if verdict else "FAIL")
    return 0 if verdict else 1


if __name__ == "__main__":
    sys.exit(main())
