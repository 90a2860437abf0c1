#!/usr/bin/env python3
"""Judges the delivery to PostgreSQL under random faults against what the devices hold.

Two devices are loaded: a ZKTeco terminal (our emulator, which writes every record to a truth file before it sends it)
and the simulator driver. The sink reaches its server through a proxy of this test. Faults come from a seeded generator:

kills     SIGKILL of the host, from the middle of its start to the middle of steady delivery
restarts  pg_ctl restart -m immediate of PostgreSQL, while hosts are killed
cuts      the proxy forwards a request and swallows the answer: to the COMMIT of a COPY, to an INSERT, or to anything
outage    connections are refused for a while, while capture goes on

After the last restart the journal must hold exactly what the devices hold, and the table exactly what the journal holds,
in the journal's order: nothing missing, nothing twice. Each kind of fault has to prove that it hit.

usage: delivery.py MUSTER [--kills 500] [--restarts 50] [--cuts 50] [--outage 600] [--seed 1] [--keep]
Prints a line for every 25 kills, the proofs and a verdict; exits 0 only when everything holds. A full run takes about
40 minutes; --kills 10 --restarts 3 --cuts 5 --outage 5 takes about one.
"""
import argparse
import collections
import datetime
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

from kill9 import compare, json_lines
from postgres import Proxy, Server, free_port

DEVICES = ("terminal", "simulated")
COUNT = "SELECT count(*) FROM attendance_records"
ROWS = """
    SELECT json_build_array(device, attendance_code, extract(epoch FROM "timestamp")::float8, local_time::text, direction,
        direction_raw, verification, verification_raw, source, notes, raw_data) FROM attendance_records ORDER BY id
    """


class Rig:
    """A host, its devices and its database, with everything in one directory."""

    def __init__(self, muster, directory, rate):
        self.muster, self.directory, self.rate = muster, directory, rate
        self.truth = os.path.join(directory, "truth.jsonl")
        self.host_log = os.path.join(directory, "host.log")
        self.emulator_port, self.host = free_port(), None
        self.server = Server()
        self.proxy = Proxy(self.server.port)
        self.emulator = subprocess.Popen(
            [muster, "emulate", "zkteco", "--listen", f"127.0.0.1:{self.emulator_port}", "--records", "5000",
             "--people", "2000", "--rate", f"{rate}/s", "--truth", self.truth, "--pacing", "0ms", "--capacity",
             "1000000"],
            stdin=subprocess.PIPE, stdout=open(os.path.join(directory, "emulator.log"), "w"),
            stderr=subprocess.STDOUT)
        # Without a start, a week at this rate would be a log of millions.
        self.start_of_simulation = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 60))
        self.config = self.write_config("muster.yaml", "data", has_sink=True)
        self.judge_config = self.write_config("judge.yaml", "judge-data", has_sink=False)

    def write_config(self, name, data, has_sink):
        path = os.path.join(self.directory, name)
        sink = ("sinks:\n"
                "  db:\n"
                "    type: postgres\n"
                f"    url: host=127.0.0.1 port={self.proxy.port} dbname=postgres user=postgres sslmode=disable "
                "gssencmode=disable\n"
                "    retry_base: 20ms\n"
                "    retry_ceiling: 500ms\n") if has_sink else ""
        listed = "    sinks: [db]\n" if has_sink else ""
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                f"data: {os.path.join(self.directory, data)}\n"
                "timezone: UTC\n"
                f"{sink}"
                "devices:\n"
                "  terminal:\n"
                "    driver: zkteco\n"
                f"    settings: {{address: 127.0.0.1, port: {self.emulator_port}}}\n"
                "    schedule: {poll: '* * * * *', window: all, capture: true}\n"
                f"{listed}"
                "  simulated:\n"
                "    driver: simulator\n"
                f"    settings: {{people: 200, rate: {self.rate}/s, seed: 7, start: '{self.start_of_simulation}'}}\n"
                "    schedule: {poll: '* * * * *', window: all, capture: true}\n"
                f"{listed}")
        return path

    def start(self):
        log = open(self.host_log, "a")
        self.host = subprocess.Popen(
            [self.muster, "run", "--no-show", "--config", self.config], stdout=log, stderr=log)

    def end(self, number):
        self.host.send_signal(number)
        try:
            return self.host.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.host.kill()
            self.host.wait()
            return None

    def say(self, line):
        self.emulator.stdin.write(line.encode() + b"\n")
        self.emulator.stdin.flush()

    def journal_count(self):
        path = os.path.join(self.directory, "data", "journal.sqlite")
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as journal:
                count = journal.execute("SELECT ifnull(max(position), 0) FROM punches").fetchone()[0]
            journal.close()
            return count
        except sqlite3.Error:
            return 0

    def table_count(self):
        """None while the server is away."""
        rows = self.server.rows(COUNT)
        return rows[0] if rows else None

    def table_count_at_last(self):
        while (count := self.table_count()) is None:
            time.sleep(0.1)
        return count

    def punches(self, config):
        output = os.path.join(self.directory, "punches.jsonl")
        with open(output, "w") as file:
            subprocess.run([self.muster, "punches", "--config", config, "--format", "jsonl", "--limit", "100000000"],
                           check=True, stdout=file, stderr=subprocess.DEVNULL)
        return json_lines(output)

    def remove(self, keep):
        for child in (self.host, self.emulator):
            if child is not None and child.poll() is None:
                child.kill()
                child.wait()
        self.server.remove(keep)
        if keep:
            print(f"kept: {self.directory} and {self.server.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


class Restarts:
    """Crashes of PostgreSQL, one at a time, at the kills that the generator chose."""

    def __init__(self, rig, chance, count, kills):
        self.rig, self.chance = rig, chance
        self.due = collections.Counter(chance.randrange(kills) for _ in range(count))
        self.waiting, self.done, self.met_session, self.failed = 0, 0, 0, 0
        self.thread = None

    def at(self, kill):
        self.waiting += self.due[kill]
        if self.waiting and (self.thread is None or not self.thread.is_alive()):
            self.begin(self.chance.uniform(0, 1.5))

    def begin(self, delay):
        self.waiting -= 1
        self.thread = threading.Thread(target=self.restart, args=(delay,))
        self.thread.start()

    def restart(self, delay):
        time.sleep(delay)
        before = self.rig.proxy.counts["sessions that the server ended"]
        try:
            self.rig.server.crash()
            self.done += 1
        except RuntimeError as error:
            self.failed += 1
            print(error)
        self.met_session += self.rig.proxy.counts["sessions that the server ended"] > before

    def finish_current(self):
        if self.thread is not None:
            self.thread.join()

    def finish(self):
        """Those that are still due, with a living host; also waits for the last."""
        while True:
            self.finish_current()
            if not self.waiting:
                return
            self.begin(self.chance.uniform(0.5, 1.5))


class Cuts(threading.Thread):
    """Swallowed answers, one at a time, each begun when the kills have come as far as the generator chose."""

    PATIENCE = 15.0

    def __init__(self, rig, chance, count, kills):
        super().__init__(daemon=True)
        self.rig, self.chance = rig, chance
        self.due = sorted(chance.uniform(0, kills * 0.9) for _ in range(count))
        kinds = ["commit", "commit", "insert", "request"]
        self.kinds = [kinds[number % len(kinds)] for number in range(count)]
        chance.shuffle(self.kinds)
        self.progress, self.is_paused, self.is_stopped = 0, False, False
        self.done = 0

    def run(self):
        for due, kind in zip(self.due, self.kinds):
            while (self.progress < due or self.is_paused) and not self.is_stopped:
                time.sleep(0.05)
            while not self.is_stopped and not self.cut(kind):
                pass
            self.done += not self.is_stopped

    def cut(self, kind):
        proxy = self.rig.proxy
        proxy.arm(kind)
        if kind == "commit":
            proxy.stall(self.chance.uniform(1.0, 2.0))
            self.rig.say("burst 300")
        has_fired = proxy.fired.wait(self.PATIENCE)
        proxy.disarm()
        return has_fired or proxy.fired.is_set()


class Growth:
    """Whether journal and table grew between two looks; a server that is away counts for no growth."""

    def __init__(self, rig):
        self.rig, self.journal, self.table = rig, 0, 0
        self.journal_grew = self.table_grew = 0

    def look(self):
        journal, table = self.rig.journal_count(), self.rig.table_count()
        self.journal_grew += journal > self.journal
        self.table_grew += table is not None and table > self.table
        self.journal, self.table = journal, self.table if table is None else table


def kill_hosts(rig, chance, numbers, restarts, cuts, growth):
    """False when a host ended by itself."""
    for number in numbers:
        restarts.at(number)
        cuts.progress = number + 1
        rig.start()
        time.sleep(chance.choice([chance.uniform(0.02, 0.4), chance.uniform(0.4, 2.6)]))
        if rig.host.poll() is not None:
            print(f"kill {number + 1}: the host had ended by itself with {rig.host.returncode}")
            return False
        rig.end(signal.SIGKILL)
        growth.look()
        if (number + 1) % 25 == 0 or number + 1 == numbers.stop:
            print(f"kill {number + 1:3}: journal {growth.journal}, table {growth.table}, restarts {restarts.done}, "
                  f"cuts {cuts.done}, {time.monotonic() - rig.began:.0f} s", flush=True)
    return True


def outage(rig, seconds, cuts):
    """Whether capture went on for all of it while nothing reached the table."""
    cuts.is_paused = True
    rig.start()
    time.sleep(2)
    rig.proxy.refuse()
    time.sleep(0.5)  # What the server was executing ends.
    table, journal, stages = rig.table_count_at_last(), [rig.journal_count()], 5
    for _ in range(stages):
        time.sleep(seconds / stages)
        journal.append(rig.journal_count())
    after = rig.table_count_at_last()
    rig.proxy.admit()
    cuts.is_paused = False
    growing = sum(later > earlier for earlier, later in zip(journal, journal[1:]))
    print(f"outage of {seconds:.0f} s: the journal grew by {journal[-1] - journal[0]}, in {growing} of {stages} "
          f"stages; the table by {after - table}", flush=True)
    has_caught_up = catch_up(rig, 240, lambda: rig.table_count_at_last() >= journal[-1] - 1)
    if not has_caught_up:
        print("the table did not catch up after the outage")
    is_living = rig.host.poll() is None
    rig.end(signal.SIGKILL)
    return growing == stages and after == table and has_caught_up and is_living


def catch_up(rig, seconds, is_done):
    began = time.monotonic()
    while not is_done():
        if time.monotonic() - began > seconds:
            return False
        time.sleep(0.2)
    print(f"the table had caught up after {time.monotonic() - began:.1f} s", flush=True)
    return True


def settle(rig, restarts, cuts):
    """The last faults hit a living host; then the terminal falls silent and the table catches up.
    Answers the host's exit code."""
    rig.start()
    restarts.finish()
    cuts.progress = 10 ** 9
    cuts.join(timeout=60 + 2 * Cuts.PATIENCE * (len(cuts.due) - cuts.done))
    cuts.is_stopped = True
    cuts.join()
    rig.say("rate 0/s")  # So that it can be counted.
    time.sleep(options_settle)
    catch_up(rig, 120, lambda: rig.table_count_at_last() >= rig.journal_count() - 100)
    return rig.end(signal.SIGTERM)


def epoch(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def key(punch):
    return (punch["device"], punch["code"], epoch(punch["time"]))


def truth_key(record):
    return ("terminal", record["code"], epoch(record["local_time"].replace(" ", "T") + "Z"))


def canonical(value):
    """jsonb has an order of keys of its own."""
    return json.dumps(value, sort_keys=True)


def content(punch):
    """All that a row says, in the words of the query above."""
    return (*key(punch), punch["local_time"].replace("T", " "), punch["direction"], punch["direction_raw"],
            punch["verification"], punch["verification_raw"], punch["source"], punch["notes"], canonical(punch["raw"]))


def judge_simulator(rig, journal):
    """The simulator's log before its newest journalled second, read afresh by a host that was never killed."""
    simulated = [key(punch) for punch in journal if punch["device"] == "simulated"]
    newest = max(instant for _, _, instant in simulated)
    subprocess.run([rig.muster, "sync", "simulated", "--config", rig.judge_config], check=True, capture_output=True)
    fresh = [key(punch) for punch in rig.punches(rig.judge_config)]
    return compare("simulator in the journal", [item for item in fresh if item[2] < newest],
                   [item for item in simulated if item[2] < newest])


def judge_order(device, journal, table):
    in_journal = [item for item in journal if item[0] == device]
    in_table = [item for item in table if item[0] == device]
    breaks = [place for place, pair in enumerate(zip(in_journal, in_table)) if pair[0] != pair[1]]
    print(f"order of {device}: {len(in_table)} rows, "
          + (f"differs from the journal first at {breaks[0]}" if breaks else "as in the journal"))
    return not breaks and len(in_journal) == len(in_table)


def judge(rig):
    rig.server.crash()  # What the server has acknowledged outlives it.
    journal = rig.punches(rig.config)
    if len(journal) > 1 and journal[0]["received_at"] > journal[-1]["received_at"]:
        journal.reverse()
    valid = [punch for punch in journal if punch["is_valid"]]
    rows = rig.server.rows(ROWS)
    table = [(*row[:10], canonical(row[10])) for row in rows]
    verdict = compare("terminal in the journal", {truth_key(record) for record in json_lines(rig.truth)},
                      [key(punch) for punch in journal if punch["device"] == "terminal"])
    verdict &= judge_simulator(rig, journal)
    verdict &= compare("table against the journal", [key(punch) for punch in valid], [row[:3] for row in table])
    verdict &= compare("whole rows against the journal", map(content, valid), table)
    for device in DEVICES:
        verdict &= judge_order(device, [key(punch) for punch in valid], [row[:3] for row in table])
    return verdict


def proofs(options, rig, restarts, cuts, growth, code, recoveries):
    counts = rig.proxy.counts
    with open(rig.host_log, encoding="utf-8", errors="replace") as file:
        failing = file.read().count("the sink fails")
    print(f"kills: {options.kills}; the journal grew before {growth.journal_grew}, the table before "
          f"{growth.table_grew} of them")
    print(f"restarts: {restarts.done}, crash recoveries in the server's log: {recoveries}, restarts that cut a "
          f"session of the host: {restarts.met_session}")
    print(f"cuts: {cuts.done}; swallowed: {counts['commit']} CommandComplete COMMIT after a COPY, {counts['insert']} "
          f"answers to an INSERT of new rows, {counts['request']} requests without waiting for the answer")
    print(f"the host said {failing} times that the sink fails; the last drain exited {code}")
    return (growth.journal_grew >= options.kills // 3 and growth.table_grew >= options.kills // 3
            and restarts.done == options.restarts and recoveries >= options.restarts
            and restarts.met_session >= options.restarts // 3 and cuts.done == options.cuts
            and counts["commit"] >= options.cuts // 3 and failing > 0 and code == 0)


def torment(rig, options, chance):
    restarts = Restarts(rig, chance, options.restarts, options.kills)
    cuts, growth = Cuts(rig, random.Random(options.seed + 1), options.cuts, options.kills), Growth(rig)
    cuts.start()
    middle = options.kills // 2
    try:
        if not kill_hosts(rig, chance, range(middle), restarts, cuts, growth):
            return False
        restarts.finish_current()
        verdict = outage(rig, options.outage, cuts)
        if not kill_hosts(rig, chance, range(middle, options.kills), restarts, cuts, growth):
            return False
        code = settle(rig, restarts, cuts)
    finally:
        cuts.is_stopped = True
        restarts.finish_current()
    recoveries = rig.server.recoveries()
    verdict &= judge(rig)
    return proofs(options, rig, restarts, cuts, growth, code, recoveries) and verdict


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--restarts", type=int, default=50)
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--outage", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=40, help="punches a second of each device")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    rig = Rig(os.path.abspath(options.muster), tempfile.mkdtemp(prefix="muster-delivery-"), options.rate)
    rig.began, verdict = time.monotonic(), False
    try:
        verdict = torment(rig, options, random.Random(options.seed))
    finally:
        rig.remove(options.keep or not verdict)
    print("PASS" if verdict else "FAIL")
    return 0 if verdict else 1


if __name__ == "__main__":
    sys.exit(main())
