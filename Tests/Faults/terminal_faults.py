#!/usr/bin/env python3
"""Lets everything go wrong with a terminal for ten minutes, then compares the journal with the terminal's truth.

The emulator plays Tests/Faults/terminal_faults.yaml: connections that drop, are refused or fall silent, wrong checksums,
frames cut into pieces and joined, delays, a refused comm key, a second client, refused buffered reads, wrong counters,
clocks that jump and drift, restarts, and a cleared log. Once in a run the judge itself lets the log overflow, and has
another terminal hang in the place of the first, which an operator has to accept.

Every record that the terminal ever held must be in the journal once, whatever became of it at the terminal, and nothing
else. Records that were destroyed before anybody could read them would be named separately; the script leaves time for
them to be read, so there must be none. The observations of the emulator prove that each fault happened.

usage: terminal_faults.py MUSTER [--seconds 600] [--script FILE] [--transport tcp] [--keep]
"""
import argparse
import collections
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from kill9 import free_port, json_lines

HERE = os.path.dirname(os.path.abspath(__file__))


class Rig:
    def __init__(self, muster, directory, script, transport):
        self.muster, self.directory, self.port = muster, directory, free_port()
        self.truth = os.path.join(directory, "truth.jsonl")
        self.observations = os.path.join(directory, "observations.jsonl")
        self.log = os.path.join(directory, "emulator.log")
        self.emulator = subprocess.Popen(
            [muster, "emulate", "zkteco", "--listen", f"127.0.0.1:{self.port}", "--records", "1500", "--people", "200",
             "--capacity", "20000", "--truth", self.truth, "--observe", self.observations, "--pacing", "0ms",
             "--password", "4711", "--script", script],
            stdin=subprocess.PIPE, stdout=open(self.log, "w"), stderr=subprocess.STDOUT)
        with open(os.path.join(directory, "muster.yaml"), "w", encoding="utf-8") as file:
            file.write(
                "data: data\ntimezone: UTC\n"
                "sinks:\n  audit: {type: file, path: audit.jsonl, valid_only: false}\n"
                "devices:\n  terminal:\n    driver: zkteco\n"
                f"    settings: {{address: 127.0.0.1, port: {self.port}, password: \"${{KEY:-4711}}\", timeout: 3s, "
                f"transport: {transport}}}\n"
                "    schedule: {poll: '* * * * *', window: all, capture: true}\n"
                "    lifecycle: {reconnect_base: 200ms, reconnect_ceiling: 2s, blocked_retry: 2s, keep_alive_idle: 3s, "
                "poll_retries: [1s, 2s, 4s], stable_after: 1s, held_retry: 1s, keep_alive_timeout: 2s, open_timeout: 15s}\n"
                "    sinks: [audit]\n")

    def start(self):
        self.host = subprocess.Popen(
            [self.muster, "run", "--no-show", "--config", "muster.yaml"], cwd=self.directory,
            stdout=subprocess.DEVNULL, stderr=open(os.path.join(self.directory, "host.log"), "w"))

    def order(self, line):
        self.emulator.stdin.write(line.encode() + b"\n")
        self.emulator.stdin.flush()

    def run(self, *arguments):
        return subprocess.run([self.muster, *arguments, "--config", "muster.yaml"], cwd=self.directory,
                              capture_output=True, text=True)

    def punches(self):
        output = self.run("punches", "--format", "jsonl", "--limit", "10000000").stdout
        return [json.loads(line) for line in output.splitlines() if line.strip()]

    def status(self):
        output = self.run("status", "--format", "json").stdout
        return json.loads(output)[0] if output.strip() else {}

    def host_log(self):
        with open(os.path.join(self.directory, "host.log"), encoding="utf-8") as file:
            return file.read()


def truth(path):
    """All records in order, and for each time that some were destroyed: how far they reach."""
    records, destroyed, first = [], [], 0
    for line in json_lines(path):
        if "event" not in line:
            records.append((line["code"], line["local_time"].replace(" ", "T")))
            continue
        first += line["records"]
        destroyed.append((line["event"], first))
    return records, destroyed


def compare(name, expected, actual):
    expected, actual = set(expected), collections.Counter(actual)
    missing = expected - set(actual)
    invented = set(actual) - expected
    doubled = [item for item, count in actual.items() if count > 1]
    print(f"{name}: expected {len(expected)}, found {sum(actual.values())}, missing {len(missing)}, invented "
          f"{len(invented)}, doubled {len(doubled)}")
    for label, some in (("missing", missing), ("invented", invented), ("doubled", doubled)):
        for item in sorted(some)[:5]:
            print(f"  {label}: {item}")
    return missing, not missing and not invented and not doubled


def accept_replacement(rig):
    """Where the host holds a replaced terminal until somebody accepts it, somebody does."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.path.join(rig.directory, "data", "control.sock"))
        link.settimeout(20)
        link.sendall(b'{"verb":"accept","devices":["terminal"]}\n')
        return json.loads(link.makefile().readline()).get("count", 0) > 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--script", default=os.path.join(HERE, "terminal_faults.yaml"))
    parser.add_argument("--transport", default="tcp")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="muster-terminal-faults-")
    rig, verdict = Rig(os.path.abspath(options.muster), directory, options.script, options.transport), False
    try:
        time.sleep(1)
        rig.start()
        begin = time.time()
        while time.time() - begin < options.seconds:
            time.sleep(min(30, max(begin + options.seconds - time.time(), 0)))
            if rig.host.poll() is not None:
                print(f"the host has ended with {rig.host.returncode}")
                return 1
            if rig.emulator.poll() is not None:
                print(f"the emulator has ended with {rig.emulator.returncode}")
                return 1
            state = rig.status()
            print(f"{time.time() - begin:5.0f} s: {state.get('state')}, {state.get('journaled')} journaled, "
                  f"{state.get('duplicates')} duplicates; {state.get('condition') or 'no condition'}", flush=True)
        # The faults end; what they hid must come to light by itself.
        rig.order("script off")
        rig.order("end")
        rig.order("rate 0/s")
        took = time.time() - begin
        with open(options.script, encoding="utf-8") as file:
            script = file.read()
        ordered = set(re.findall(r"do: ([a-z-]+)", script))
        silence(rig)
        # A log that overflows, in the presence of a host that captures.
        rig.order("capacity 1")
        rig.order("overflow 300")
        silence(rig)
        # Another terminal in the place of the first, with punches of its own.
        rig.order("serial ZKT0000000099")
        time.sleep(4)
        accepted = accept_replacement(rig)
        rig.order("burst 40")
        silence(rig)
        print(f"another terminal was put in the place of the first; the host "
              f"{'had to be told to accept it' if accepted else 'went on by itself'}")
        rig.host.send_signal(signal.SIGTERM)
        code = rig.host.wait(timeout=20)
        rig.order("quit")
        rig.emulator.wait(timeout=20)
        records, destroyed = truth(rig.truth)
        journal = rig.punches()
        missing, is_equal = compare("journal against truth", records,
                                    [(punch["code"], punch["local_time"]) for punch in journal])
        last = {record: index for index, record in enumerate(records)}
        gone = [item for item in missing if destroyed and last[item] < destroyed[-1][1]]
        print(f"destroyed at the terminal: {collections.Counter(kind for kind, _ in destroyed)}, "
              f"{destroyed[-1][1] if destroyed else 0} records; of these not in the journal: {len(gone)}")
        _, is_delivered = compare(
            "file sink against the journal", [(punch["device"], punch["code"], punch["time"]) for punch in journal],
            [(line["device"], line["code"], line["time"]) for line in json_lines(os.path.join(directory, "audit.jsonl"))])
        seen = json_lines(rig.observations)
        events = collections.Counter(line["event"] for line in seen)
        faults = collections.Counter(line["fault"].split()[0] for line in seen if line["event"] == "fault-began")
        print(f"faults: {dict(sorted(faults.items()))}")
        print(f"seen by the terminal: {dict(sorted(events.items()))}")
        sources = collections.Counter(punch["source"] for punch in journal)
        print(f"{took:.0f} s, {len(records)} records, by {dict(sources)}; the host ended with {code}")
        log = rig.host_log()
        proofs = {
            "every fault of the script happened": ordered <= set(faults),
            "frames were damaged": events["frame-damaged"] > 10, "connections were refused": "refuses connections" in log,
            "the terminal was switched on again": events["switched-on"] > 0,
            "the log was cleared": any(kind == "cleared" for kind, _ in destroyed),
            "the log overflowed": any(kind == "overwritten" for kind, _ in destroyed),
            "the host saw damage": "damaged" in log or "checksum" in log,
            "the host saw a refused key": "comm key" in log,
            "punches came both ways": sources["capture"] > 0 and sources["poll"] > 0,
            "the host ended well": code == 0,
        }
        for what, is_true in proofs.items():
            if not is_true:
                print(f"NOT PROVED: {what}")
        verdict = is_equal and is_delivered and all(proofs.values())
    finally:
        for child in (getattr(rig, "host", None), rig.emulator):
            if child is not None and child.poll() is None:
                child.kill()
                child.wait()
        if options.keep or not verdict:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory)
    print("PASS" if verdict else "FAIL")
    return 0 if verdict else 1


def silence(rig, quiet=6, limit=150):
    """Waits until the terminal has recorded nothing for some seconds and the host has read what there is."""
    begin, size, since = time.time(), -1, time.time()
    while time.time() - begin < limit:
        time.sleep(0.5)
        now = os.path.getsize(rig.truth)
        if now != size:
            size, since = now, time.time()
        if time.time() - since >= quiet:
            answer = rig.run("sync", "terminal", "--format", "json")
            if answer.returncode == 0:
                return
    raise SystemExit("the host does not read the terminal any more")


if __name__ == "__main__":
    sys.exit(main())
