#!/usr/bin/env python3
"""Times `muster sync` against pyzk's get_attendance on the same emulated terminal, in the same run.

usage: sync.py MUSTER PYTHON_WITH_PYZK [--rounds 3] [--pacing 0ms]
Both clients alternate. For each round a fresh data directory is used, so the whole log goes through the journal.
Prints medians, their ratio, the peak memory of muster, what a second sync adds, and how 400,000 records compare with
100,000. Use a release build.
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PYZK = """
import sys, time
from zk import ZK
zk = ZK('127.0.0.1', port=int(sys.argv[1]), timeout=120, ommit_ping=True)
connection = zk.connect()
start = time.monotonic()
records = connection.get_attendance()
print(time.monotonic() - start, len(records))
connection.disconnect()
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Terminal:
    """An emulated terminal with a number of records of 40 bytes."""

    def __init__(self, muster, directory, records, pacing):
        self.port = free_port()
        self.process = subprocess.Popen(
            [muster, "emulate", "zkteco", "--listen", f"127.0.0.1:{self.port}", "--records", str(records),
             "--people", "500", "--pacing", pacing],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.config = os.path.join(directory, f"bench-{records}.yaml")
        self.data = os.path.join(directory, f"data-{records}")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"data: {self.data}\ntimezone: UTC\ndevices:\n  terminal:\n    driver: zkteco\n"
                       f"    settings: {{address: 127.0.0.1, port: {self.port}}}\n"
                       "    schedule: {window: all}\n")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the emulator did not come up")

    def stop(self):
        self.process.kill()
        self.process.wait()


def run_sync(muster, terminal, fresh):
    """Wall seconds, peak memory in MiB, and the result."""
    if fresh:
        shutil.rmtree(terminal.data, ignore_errors=True)
    start = time.monotonic()
    process = subprocess.Popen([muster, "sync", "terminal", "--config", terminal.config, "--format", "json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output = process.stdout.read()
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        raise SystemExit(f"muster sync failed with status {status}: {output!r} {errors[-600:]!r}")
    result = json.loads(output)
    return seconds, usage.ru_maxrss / 1024, result[0] if isinstance(result, list) else result


def run_pyzk(python, terminal):
    output = subprocess.run([python, "-c", PYZK, str(terminal.port)], check=True, capture_output=True, text=True)
    seconds, count = output.stdout.split()
    return float(seconds), int(count)


def journal_rows(muster, terminal):
    output = subprocess.run(
        [muster, "punches", "--config", terminal.config, "--format", "jsonl", "--limit", "10000000"],
        check=True, capture_output=True).stdout
    return output.count(b"\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("python")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pacing", default="0ms")
    options = parser.parse_args()
    muster = os.path.abspath(options.muster)
    directory = tempfile.mkdtemp(prefix="muster-bench-")
    medians = {}
    try:
        for records in (100_000, 400_000):
            terminal = Terminal(muster, directory, records, options.pacing)
            try:
                ours, theirs, memory = [], [], 0.0
                for _ in range(options.rounds):
                    seconds, peak, result = run_sync(muster, terminal, fresh=True)
                    ours.append(seconds)
                    memory = max(memory, peak)
                    if records == 100_000:
                        seconds, count = run_pyzk(options.python, terminal)
                        theirs.append(seconds)
                        assert count == records, f"pyzk read {count}"
                    print(f"  {records}: muster {ours[-1]:.2f} s"
                          + (f", pyzk {theirs[-1]:.2f} s" if theirs else ""), flush=True)
                rows = journal_rows(muster, terminal)
                again, _, second = run_sync(muster, terminal, fresh=False)
                medians[records] = statistics.median(ours)
                print(f"{records} records: muster sync median {medians[records]:.2f} s, journal rows {rows}, "
                      f"peak memory {memory:.0f} MiB; second sync {again:.2f} s, added "
                      f"{second['logs_synced']}, rows {journal_rows(muster, terminal)}")
                assert rows == records
                if theirs:
                    print(f"pyzk get_attendance median {statistics.median(theirs):.2f} s; "
                          f"ratio {medians[records] / statistics.median(theirs):.3f} (goal 0.1 or less)")
            finally:
                terminal.stop()
        print(f"400,000 against 100,000 records: {medians[400_000] / medians[100_000]:.2f} times as long "
              "(goal 4.6 or less)")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
