#!/usr/bin/env python3
"""Measures the PostgreSQL sink on a cluster of its own, with fsync and synchronous_commit on.

usage: postgres.py MUSTER PYTHON_WITH_DJANGO [--only table|backlog|latency] [--punches 200000] [--backlog 1000000]

table:   rows a second of (a) Django's exists() and create() for each punch, (b) its bulk_create, (c) psql \\copy and
         (d) the sink from the journal, into tables with the same columns and indexes, in the same run.
backlog: a million punches wait, PostgreSQL comes back; peak memory of the host, and the time from a live event to its
         acknowledgement, which the host sends after the commit to its journal, while the backlog is delivered.
latency: from an emulated terminal's event to the commit of its row, 100 events a second for 60 s.
Use a release build. The clocks are those of this machine.
"""
import argparse
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Shared"))
from cluster import Cluster, free_port, json_lines, percentile, wait_for_port  # noqa: E402

COLUMNS = ("device, attendance_code, timestamp, local_time, direction, direction_raw, verification, verification_raw, "
           "work_code, source, received_at, is_valid, notes, raw_data")


class Emulator:
    def __init__(self, muster, *arguments):
        self.port = free_port()
        self.process = subprocess.Popen(
            [muster, "emulate", "zkteco", "--listen", f"127.0.0.1:{self.port}", "--people", "1000", "--pacing", "0ms",
             *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def stop(self):
        self.process.kill()
        self.process.wait()


def write_config(path, data, devices, url=None):
    """devices: name to (port or None, extra YAML)."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"data: {data}\ntimezone: UTC\n")
        if url:
            file.write(f"sinks:\n  db: {{type: postgres, url: \"{url}\"}}\n")
        file.write("devices:\n")
        for name, (port, extra) in devices.items():
            file.write(f"  {name}:\n    driver: zkteco\n    settings: {{address: 127.0.0.1, port: {port}}}\n{extra}"
                       + ("    sinks: [db]\n" if url else ""))


def fill(muster, directory, data, counts):
    """A journal of so many punches from emulated terminals, without any sink."""
    for number, count in enumerate(counts, 1):
        emulator = Emulator(muster, "--records", str(count), "--seed", str(number), "--capacity", str(count + 10))
        config = os.path.join(directory, f"fill-{number}.yaml")
        write_config(config, data, {f"past{number}": (emulator.port, "    schedule: {window: all}\n")})
        subprocess.run([muster, "sync", f"past{number}", "--config", config], check=True, stdout=subprocess.DEVNULL)
        emulator.stop()


def sink_position(data):
    try:
        with sqlite3.connect(f"file:{data}/journal.sqlite?mode=ro", uri=True, timeout=5) as journal:
            row = journal.execute("SELECT position FROM sinks WHERE name = 'db'").fetchone()
            return row[0] if row else 0
    except sqlite3.OperationalError:
        return 0


def latest(data):
    with sqlite3.connect(f"file:{data}/journal.sqlite?mode=ro", uri=True) as journal:
        return journal.execute("SELECT max(position) FROM punches").fetchone()[0]


def start_host(muster, config, log):
    return subprocess.Popen([muster, "run", "--config", config], stdout=subprocess.DEVNULL, stderr=open(log, "a"))


def stop_host(host):
    host.send_signal(signal.SIGTERM)
    host.wait(timeout=20)


def deliver(muster, directory, source, config, data):
    """Seconds from the start of the host to the last commit, and from the first stored position."""
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(source, data)
    last, first_seen = latest(data), None
    start = time.monotonic()
    host = start_host(muster, config, os.path.join(directory, "host.log"))
    while (position := sink_position(data)) < last:
        if position and first_seen is None:
            first_seen = (time.monotonic(), position)
        if host.poll() is not None or time.monotonic() - start > 600:
            raise SystemExit(f"the host did not deliver: see {directory}/host.log")
        time.sleep(0.01)
    seconds = time.monotonic() - start
    stop_host(host)
    return seconds


def table(muster, python, directory, count):
    cluster = Cluster("max_wal_size=8GB", "shared_buffers=256MB")
    try:
        source, data = os.path.join(directory, "source"), os.path.join(directory, "data")
        config = os.path.join(directory, "deliver.yaml")
        fill(muster, directory, source, [count])
        write_config(config, data, {"past1": (9, "    enabled: false\n")}, cluster.url)
        first = deliver(muster, directory, source, config, data)
        print(f"d  {first:.2f} s, to make the tables and warm up", flush=True)
        exported = os.path.join(directory, "rows.csv")
        cluster.psql("-c", f"\\copy (SELECT {COLUMNS} FROM attendance_records ORDER BY id) TO {exported} CSV HEADER")
        for name in ("copied", "exists", "bulk"):
            cluster.sql(f"CREATE TABLE {name}_rows (LIKE attendance_records INCLUDING ALL)")
        ours, copied = [], []
        for _ in range(3):
            cluster.sql("TRUNCATE attendance_records")
            cluster.sql("TRUNCATE copied_rows")
            cluster.sql("CHECKPOINT")
            start = time.monotonic()
            cluster.psql("-c", f"\\copy copied_rows ({COLUMNS}) FROM {exported} CSV HEADER")
            copied.append(time.monotonic() - start)
            cluster.sql("CHECKPOINT")
            ours.append(deliver(muster, directory, source, config, data))
            rows = int(cluster.sql("SELECT count(*) FROM attendance_records")[0][0])
            print(f"c  {copied[-1]:.2f} s   d  {ours[-1]:.2f} s, {rows} rows", flush=True)
            if rows != count:
                raise SystemExit(f"the sink wrote {rows} of {count} rows")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "django_rows.py")
        timed = {}
        for mode, rows in (("exists", min(count, 20_000)), ("bulk", count)):
            cluster.sql("CHECKPOINT")
            output = subprocess.run([python, script, mode, "127.0.0.1", str(cluster.port), f"{mode}_rows", exported,
                                     str(rows)], check=True, capture_output=True, text=True).stdout.split()
            timed[mode] = (float(output[0]), int(output[1]))
        results = [
            ("a  Django exists() and create()", timed["exists"][1], timed["exists"][0]),
            ("b  Django bulk_create(ignore_conflicts)", timed["bulk"][1], timed["bulk"][0]),
            ("c  psql \\copy into the indexed table", count, statistics.median(copied)),
            ("d  muster's sink from the journal", count, statistics.median(ours))]
        rates = [rows / seconds for _, rows, seconds in results]
        print(f"\n{'':42}{'rows':>9}{'seconds':>9}{'rows/s':>9}{'to a':>8}{'to c':>7}")
        for (name, rows, seconds), rate in zip(results, rates):
            print(f"{name:42}{rows:9}{seconds:9.2f}{rate:9.0f}{rate / rates[0]:8.1f}{rate / rates[2]:7.2f}")
        good = rates[3] >= 0.6 * rates[2] and rates[3] >= 40 * rates[0]
        print(f"goals: d at least 0.6 of c, at least 40 times a: {'met' if good else 'MISSED'}")
        return good
    finally:
        cluster.remove()


def memory(host):
    with open(f"/proc/{host.pid}/status", encoding="ascii") as file:
        return max(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def acknowledgement_delays(observed):
    """Milliseconds from each event to its acknowledgement. The emulator sends one event at a time."""
    delays, sent = [], []
    for line in observed:
        if line["event"] == "sent":
            sent.append(line["at"])
        elif line["event"] == "acknowledged" and sent:
            delays.append((line["at"] - sent.pop(0)) / 1000)
    return delays


def backlog(muster, directory, count):
    cluster = Cluster("max_wal_size=4GB", "shared_buffers=256MB")
    host = emulator = None
    try:
        data, config = os.path.join(directory, "backlog"), os.path.join(directory, "backlog.yaml")
        terminals = 10
        fill(muster, directory, data, [count // terminals] * terminals)
        waiting = latest(data)
        observed = os.path.join(directory, "observed.jsonl")
        emulator = Emulator(muster, "--records", "0", "--observe", observed, "--seed", "99")
        devices = {f"past{number}": (9, "    enabled: false\n") for number in range(1, terminals + 1)}
        devices["live"] = (emulator.port, "    schedule: {window: all}\n")
        write_config(config, data, devices, cluster.url + " connect_timeout=5")
        cluster.stop()
        host = start_host(muster, config, os.path.join(directory, "host.log"))
        time.sleep(3)
        emulator.say("rate 20/s")
        time.sleep(3)
        if sink_position(data) > 0:
            raise SystemExit("the sink delivered while PostgreSQL was down")
        begun = len(json_lines(observed))
        cluster.start()
        start = time.monotonic()
        while sink_position(data) < waiting:
            if host.poll() is not None or time.monotonic() - start > 600:
                raise SystemExit(f"the host did not deliver: see {directory}/host.log")
            time.sleep(0.05)
        seconds, peak = time.monotonic() - start, memory(host)
        during = json_lines(observed)[begun:]
        delays = acknowledgement_delays(during)
        emulator.say("rate 0/s")
        time.sleep(2)
        stop_host(host)
        rows, live = (int(cluster.sql(f"SELECT count(*) FROM attendance_records WHERE device {test} 'live'")[0][0])
                      for test in ("<>", "="))
        recorded = sum(line["event"] == "recorded" for line in json_lines(observed))
        p99 = percentile(delays, 0.99)
        good = rows == waiting and live == recorded and peak <= 200 and p99 <= 25
        print(f"backlog: {waiting} punches delivered within {seconds:.1f} s of PostgreSQL's start ({rows} rows), live "
              f"rows {live} of {recorded}; peak memory {peak:.0f} MiB (goal 200); event to acknowledgement, which "
              f"follows the commit: {len(delays)} events, p50 {percentile(delays, 0.5):.1f} ms, p99 {p99:.1f} ms "
              f"(goal 25), longest {max(delays):.1f} ms: goals {'met' if good else 'MISSED'}")
        return good
    finally:
        for child in (host, emulator and emulator.process):
            if child and child.poll() is None:
                child.kill()
        cluster.remove()


def latency(muster, directory, seconds):
    cluster = Cluster("track_commit_timestamp=on")
    host = emulator = None
    try:
        data, config = os.path.join(directory, "latency"), os.path.join(directory, "latency.yaml")
        observed = os.path.join(directory, "latency.jsonl")
        emulator = Emulator(muster, "--records", "0", "--observe", observed)
        write_config(config, data, {"live": (emulator.port, "    schedule: {window: all}\n")}, cluster.url)
        host = start_host(muster, config, os.path.join(directory, "host.log"))
        time.sleep(3)
        emulator.say("rate 100/s")
        time.sleep(seconds)
        emulator.say("rate 0/s")
        time.sleep(2)
        stop_host(host)
        born = {(line["code"], line["local_time"]): line["at"]
                for line in json_lines(observed) if line["event"] == "recorded"}
        rows = cluster.sql(
            "SELECT attendance_code, to_char(local_time, 'YYYY-MM-DD HH24:MI:SS'), source, "
            "(extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint FROM attendance_records")
        # Events from before the subscription stood in the log and were polled: none, as the rate began later.
        delays = [(int(at) - born[code, local]) / 1000 for code, local, source, at in rows if source == "capture"]
        p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
        good = len(delays) == len(born) and p50 <= 10 and p99 <= 50
        print(f"latency: {len(delays)} of {len(born)} events in {seconds} s, event to committed row: p50 {p50:.1f} ms "
              f"(goal 10), p99 {p99:.1f} ms (goal 50), longest {max(delays):.1f} ms: goals "
              f"{'met' if good else 'MISSED'}")
        return good
    finally:
        for child in (host, emulator and emulator.process):
            if child and child.poll() is None:
                child.kill()
        cluster.remove()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("python")
    parser.add_argument("--only", choices=["table", "backlog", "latency"])
    parser.add_argument("--punches", type=int, default=200_000)
    parser.add_argument("--backlog", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    muster = os.path.abspath(options.muster)
    directory = tempfile.mkdtemp(prefix="muster-bench-")
    parts = {"table": lambda: table(muster, options.python, directory, options.punches),
             "backlog": lambda: backlog(muster, directory, options.backlog),
             "latency": lambda: latency(muster, directory, options.seconds)}
    try:
        results = [parts[name]() for name in ([options.only] if options.only else parts)]
    finally:
        if options.keep:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
