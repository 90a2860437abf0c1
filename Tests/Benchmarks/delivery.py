#!/usr/bin/env python3
"""Measures how `muster run` delivers to PostgreSQL, on a server of its own with fsync and synchronous_commit on.

usage: delivery.py MUSTER PYTHON_WITH_DJANGO [--punches 200000] [--only table|backlog|latency] [--rounds 3]
                   [--backlog 1000000] [--seconds 60]
PYTHON_WITH_DJANGO is the Python of an environment with `django` and `psycopg[binary]`. Three parts:

table    rows per second into tables with the same columns and indexes: Django's exists() and create() for each record
         (on a sample of 10,000, into an empty table), Django's bulk_create, psql's \\copy, and the sink, whose punches
         wait in the journal. The last two alternate; their medians count. Times of the sink come from the commit
         timestamps, so that nothing asks the server while it works.
backlog  a journal that was filled while PostgreSQL was down drains beside a live terminal with 20 punches a second:
         peak memory, and how long the terminal waits for the acknowledgement, which muster sends after its commit.
latency  100 events a second: from the punch at the terminal to its row being there for a listener on `attendance`.

Use a release build. The machine decides the figures; only ratios and limits count.
"""
import argparse
import contextlib
import json
import math
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from postgres import Server, free_port

SAMPLE = 10_000
COLUMNS = ("device, attendance_code, \"timestamp\", local_time, direction, direction_raw, verification, "
           "verification_raw, work_code, source, received_at, is_valid, notes, raw_data")

# Reads the rows before the clock starts; then only Django works.
DJANGO = """
import csv, datetime, json, sys, time
import django
from django.conf import settings
port, path, mode, limit = sys.argv[1:]
settings.configure(USE_TZ=True, TIME_ZONE='UTC', DATABASES={'default': {
    'ENGINE': 'django.db.backends.postgresql', 'NAME': 'postgres', 'USER': 'postgres', 'HOST': '127.0.0.1',
    'PORT': port}})
django.setup()
from django.db import connection, models

class Record(models.Model):
    id = models.BigAutoField(primary_key=True)
    device = models.TextField()
    attendance_code = models.TextField()
    timestamp = models.DateTimeField()
    local_time = models.DateTimeField()
    direction = models.TextField()
    direction_raw = models.BigIntegerField()
    verification = models.TextField()
    verification_raw = models.BigIntegerField()
    work_code = models.TextField(null=True)
    source = models.TextField()
    received_at = models.DateTimeField()
    is_valid = models.BooleanField()
    notes = models.TextField()
    raw_data = models.JSONField()

    class Meta:
        app_label, db_table, managed = 'bench', 'django_records', False

def moment(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)

names = [field.name for field in Record._meta.fields][1:]
read = {'timestamp': moment, 'local_time': moment, 'received_at': moment, 'raw_data': json.loads,
        'direction_raw': int, 'verification_raw': int, 'is_valid': 't'.__eq__, 'work_code': lambda text: text or None}
rows = []
with open(path, newline='', encoding='utf-8') as file:
    for row in csv.reader(file):
        if len(rows) == int(limit):
            break
        rows.append({name: read.get(name, str)(text) for name, text in zip(names, row, strict=True)})
connection.ensure_connection()
start = time.monotonic()
if mode == 'bulk':
    Record.objects.bulk_create([Record(**row) for row in rows], ignore_conflicts=True, batch_size=1000)
else:
    for row in rows:
        same = Record.objects.filter(
            device=row['device'], attendance_code=row['attendance_code'], timestamp=row['timestamp'])
        if not same.exists():
            Record.objects.create(**row)
print(time.monotonic() - start, Record.objects.count())
"""

LISTENER = """
import sys, time, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute('LISTEN attendance')
    print('listening', flush=True)
    for notice in connection.notifies():
        print(time.time_ns() // 1000, notice.payload, flush=True)
"""


def wait_until(what, condition, seconds, pause=0.05):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {seconds} s")
        time.sleep(pause)


def percentile(values, share):
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def verdict(is_met):
    return "met" if is_met else "MISSED"


class Terminal:
    """An emulated terminal that writes down, to the microsecond, what happened when."""

    def __init__(self, muster, directory, name, *arguments):
        self.name, self.port = name, free_port()
        self.observations = os.path.join(directory, f"{name}.observed.jsonl")
        self.process = subprocess.Popen(
            [muster, "emulate", "zkteco", "--listen", f"127.0.0.1:{self.port}", "--people", "500", "--pacing", "0ms",
             "--observe", self.observations, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("the emulator comes up", self.is_up, 120)

    def is_up(self):
        if self.process.poll() is not None:
            raise SystemExit(f"the emulator ended with {self.process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def command(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def observed(self):
        with open(self.observations, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def acknowledgements(self):
        """When each event was sent, and how many milliseconds later it was acknowledged."""
        observed = self.observed()
        sent = [item["at"] for item in observed if item["event"] == "sent"]
        acknowledged = [item["at"] for item in observed if item["event"] == "acknowledged"]
        # Acknowledgements come in the order of the events, as long as there is one connection.
        if not 0 <= len(sent) - len(acknowledged) <= 50:
            print(f"  {self.name}: {len(sent)} events, {len(acknowledged)} acknowledgements: the pairs are not sound")
        return [(start, (end - start) / 1_000) for start, end in zip(sent, acknowledged)]

    def stop(self):
        self.process.kill()
        self.process.wait()


def write_config(directory, sink=None, url="", full=None, live=None):
    """One data directory for a part. A device that is switched off still has its punches delivered."""
    path = os.path.join(directory, "muster.yaml")
    listed = f"    sinks: [{sink}]\n" if sink else ""
    with open(path, "w", encoding="utf-8") as file:
        file.write("data: data\ntimezone: UTC\n")
        if sink:
            file.write(f"sinks:\n  {sink}: {{type: postgres, url: '{url}'}}\n")
        file.write("devices:\n")
        if full:
            file.write(f"  full:\n    driver: zkteco\n    enabled: {'false' if sink else 'true'}\n"
                       f"    settings: {{address: 127.0.0.1, port: {full}}}\n    schedule: {{window: all}}\n{listed}")
        if live:
            # Events alone count, so that its log is read at the start and never again.
            file.write("  live:\n    driver: zkteco\n"
                       f"    settings: {{address: 127.0.0.1, port: {live}}}\n"
                       f"    schedule: {{poll: '0 0 1 1 *', window: all, capture: true}}\n{listed}")
    return path


def fill(muster, directory, count):
    """A journal with so many punches of a terminal that is gone now."""
    terminal = Terminal(muster, directory, "full", "--records", str(count))
    try:
        config = write_config(directory, full=terminal.port)
        start = time.monotonic()
        subprocess.run([muster, "sync", "full", "--config", config], check=True, stdout=subprocess.DEVNULL)
        print(f"the journal holds {count} punches, read in {time.monotonic() - start:.1f} s", flush=True)
    finally:
        terminal.stop()
    return terminal.port


class Host:
    """`muster run`, and how far its sink has come according to the journal, where a look costs nothing."""

    def __init__(self, muster, directory, config, sink):
        self.sink, self.journal = sink, os.path.join(directory, "data", "journal.sqlite")
        self.log = os.path.join(directory, "host.log")
        self.started = time.time()
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([muster, "run", "--config", config], stdout=log, stderr=log)

    def delivered(self):
        if self.process.poll() is not None:
            raise SystemExit(f"muster run ended with {self.process.returncode}, see {self.log}")
        if not os.path.exists(self.journal):
            return 0
        with contextlib.closing(sqlite3.connect(self.journal, timeout=5)) as journal:
            try:
                row = journal.execute("SELECT delivered FROM sinks WHERE name = ?", (self.sink,)).fetchone()
            except sqlite3.OperationalError:
                return 0
        return row[0] if row else 0

    def peak_memory(self):
        """MiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024

    def stop(self):
        """Answers the processor seconds that it took."""
        self.process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def processor_seconds(server, application):
    """Of the server's process that works for a client."""
    rows = server.sql(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{application}'")
    total = 0.0
    for (pid,) in rows:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def commit_span(server):
    """When the first and the last row of the sink's table were committed, in seconds since 1970."""
    ((first, last),) = server.sql(
        "SELECT extract(epoch FROM min(at)), extract(epoch FROM max(at)) FROM "
        "(SELECT pg_xact_commit_timestamp(xmin) AS at FROM attendance_records) AS commits")
    return float(first), float(last)


# MARK: table


def run_django(python, server, path, mode, limit):
    server.empty("django_records")
    output = subprocess.run([python, "-c", DJANGO, str(server.port), path, mode, str(limit)],
                            check=True, stdout=subprocess.PIPE, text=True).stdout
    seconds, count = output.split()
    assert int(count) == limit, f"Django wrote {count} rows"
    return float(seconds)


def run_copy(server, path):
    server.empty("copied_records")
    start = time.monotonic()
    server.sql(f"\\copy copied_records ({COLUMNS}) FROM '{path}' CSV")
    seconds = time.monotonic() - start
    return seconds, int(server.sql("SELECT count(*) FROM copied_records")[0][0])


def run_sink(muster, directory, server, port, count, sink):
    """Seconds from the start of the process, and from the first commit, to the last; a new sink gets everything."""
    config = write_config(directory, sink, server.url, full=port)
    host = Host(muster, directory, config, sink)
    try:
        wait_until("the sink delivers", lambda: host.delivered() >= count, 600)
        backend = processor_seconds(server, "muster")
        own = host.stop()
    finally:
        host.kill()
    first, last = commit_span(server)
    rows = int(server.sql("SELECT count(*) FROM attendance_records")[0][0])
    assert rows == count, f"the sink wrote {rows} rows"
    return last - host.started, last - first, own, backend


def measure_table(options, directory, server):
    muster, count = options.muster, options.punches
    port = fill(muster, directory, count)
    path = os.path.join(directory, "rows.csv")
    # The first delivery makes the tables and the rows for the others, and warms everybody up.
    run_sink(muster, directory, server, port, count, "warmup")
    server.sql(f"\\copy (SELECT {COLUMNS} FROM attendance_records ORDER BY id) TO '{path}' CSV")
    for table in ("django_records", "copied_records"):
        server.sql(f"CREATE TABLE {table} (LIKE attendance_records INCLUDING ALL)")
    server.empty("attendance_records")
    sample = min(SAMPLE, count)
    each = run_django(options.python, server, path, "each", sample)
    bulk = run_django(options.python, server, path, "bulk", count)
    server.empty("django_records")
    copies, sinks, spans = [], [], []
    for number in range(options.rounds):
        seconds, rows = run_copy(server, path)
        assert rows == count, f"psql wrote {rows} rows"
        copies.append(seconds)
        server.empty("copied_records", "attendance_records")
        seconds, span, own, backend = run_sink(muster, directory, server, port, count, f"round{number + 1}")
        sinks.append(seconds)
        spans.append(span)
        server.empty("attendance_records")
        print(f"  round {number + 1}: \\copy {copies[-1]:.2f} s, sink {seconds:.2f} s from its start and {span:.2f} s "
              f"from its first commit; processor {own:.2f} s in muster, {backend:.2f} s in its server process",
              flush=True)
    print_rates([
        ("(a) Django exists() and create()", sample, each), ("(b) Django bulk_create", count, bulk),
        ("(c) psql \\copy", count, statistics.median(copies)),
        ("(d) sink, from process start", count, statistics.median(sinks)),
        ("    sink, from first commit", count, statistics.median(spans))])


def print_rates(lines):
    rates = [rows / seconds for _, rows, seconds in lines]
    print(f"{'':34} {'rows':>8} {'seconds':>8} {'rows/s':>8} {'to (a)':>8} {'to (c)':>8}")
    for (name, rows, seconds), rate in zip(lines, rates):
        print(f"{name:34} {rows:8} {seconds:8.2f} {rate:8.0f} {rate / rates[0]:8.1f} {rate / rates[2]:8.2f}")
    sink, each, copy = rates[3], rates[0], rates[2]
    print(f"goals: sink {sink / copy:.2f} of \\copy (0.6 or more): {verdict(sink >= 0.6 * copy)}; "
          f"{sink / each:.0f} times (a) (40 or more): {verdict(sink >= 40 * each)}")


# MARK: backlog


def measure_backlog(options, directory, server):
    muster, count = options.muster, options.backlog
    server.stop()
    port = fill(muster, directory, count)
    server.start()
    terminal = Terminal(muster, directory, "live", "--records", "0", "--rate", "20/s")
    host = None
    try:
        config = write_config(directory, "warehouse", server.url, full=port, live=terminal.port)
        host = Host(muster, directory, config, "warehouse")
        wait_until("the backlog drains", lambda: host.delivered() >= count, 1_800)
        drained = time.time()
        time.sleep(10)
        peak, behind = host.peak_memory(), processor_seconds(server, "muster")
        own = host.stop()
    finally:
        terminal.stop()
        if host:
            host.kill()
    first, _ = commit_span(server)
    rows = int(server.sql("SELECT count(*) FROM attendance_records WHERE device = 'full'")[0][0])
    assert rows == count, f"{rows} rows of the backlog arrived"
    delays = terminal.acknowledgements()
    during = [delay for at, delay in delays if first * 1e6 <= at <= drained * 1e6]
    after = [delay for at, delay in delays if at > drained * 1e6]
    seconds = drained - host.started
    print(f"{count} punches drained in {seconds:.1f} s ({count / seconds:.0f}/s); "
          f"processor {own:.1f} s in muster, {behind:.1f} s in its server process")
    print(f"peak memory of muster {peak:.0f} MiB (goal 200 or less): {verdict(peak <= 200)}")
    print_delays("event to acknowledgement during the drain", during, {0.99: 25})
    print_delays("event to acknowledgement afterwards", after, {})


def print_delays(name, delays, goals):
    if not delays:
        print(f"{name}: nothing was measured")
        return
    figures = ", ".join(f"p{share * 100:g} {percentile(delays, share):.1f} ms" for share in (0.5, 0.9, 0.99))
    judged = "".join(
        f"; goal p{share * 100:g} {limit} ms or less: {verdict(percentile(delays, share) <= limit)}"
        for share, limit in goals.items())
    print(f"{name}: {len(delays)} events, {figures}, longest {max(delays):.1f} ms{judged}", flush=True)


# MARK: latency


class Listener:
    """Hears of new rows as a program would that shows them."""

    def __init__(self, python, url, directory):
        self.path = os.path.join(directory, "heard")
        with open(self.path, "w", encoding="utf-8") as file:
            self.process = subprocess.Popen([python, "-c", LISTENER, url], stdout=file)
        wait_until("the listener listens", lambda: os.path.getsize(self.path) > 0, 60)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def times(self):
        """One for each row, in the order of the rows: a notice tells how many it stands for."""
        with open(self.path, encoding="utf-8") as file:
            lines = [line.split(" ", 1) for line in file.read().splitlines()[1:]]
        return [int(at) for at, payload in lines for _ in range(json.loads(payload)["count"])]


def row_times(server, heard):
    """When each row was heard of, and when its commit began, by person and second."""
    rows = server.sql(
        "SELECT attendance_code, local_time, extract(epoch FROM pg_xact_commit_timestamp(xmin)) "
        "FROM attendance_records WHERE device = 'live' ORDER BY id")
    assert len(rows) == len(heard), f"{len(rows)} rows, {len(heard)} heard of"
    return {(code, at): (time_heard, float(commit) * 1e6) for (code, at, commit), time_heard in zip(rows, heard)}


def measure_latency(options, directory, server):
    muster = options.muster
    terminal = Terminal(muster, directory, "live", "--records", "0", "--rate", "100/s")
    listener = host = None
    try:
        config = write_config(directory, "warehouse", server.url, live=terminal.port)
        listener = Listener(options.python, server.url, directory)
        host = Host(muster, directory, config, "warehouse")
        wait_until("punches arrive", lambda: host.delivered() > 300, 60)
        start = time.time()
        time.sleep(options.seconds)
        end = time.time()
        terminal.command("rate 0/s")
        time.sleep(3)
        peak, own = host.peak_memory(), host.stop()
    finally:
        terminal.stop()
        for child in (listener, ):
            if child:
                child.stop()
        if host:
            host.kill()
    times = row_times(server, listener.times())
    events = [item for item in terminal.observed()
              if item["event"] == "recorded" and start * 1e6 <= item["at"] < end * 1e6]
    found = [(item["at"], times[key]) for item in events
             if (key := (item["code"], item["local_time"].replace("T", " "))) in times]
    print(f"{len(events)} events in {end - start:.0f} s, {len(events) - len(found)} not in the table; "
          f"peak memory {peak:.0f} MiB, processor {own:.1f} s in muster")
    print_delays("event to acknowledgement", [delay for at, delay in terminal.acknowledgements()
                                              if start * 1e6 <= at < end * 1e6], {})
    print_delays("event to the commit's record in PostgreSQL", [(commit - at) / 1e3 for at, (_, commit) in found], {})
    print_delays("event to the row at a listener", [(heard - at) / 1e3 for at, (heard, _) in found],
                 {0.5: 10, 0.99: 50})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("python")
    parser.add_argument("--punches", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backlog", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", choices=["table", "backlog", "latency"])
    options = parser.parse_args()
    options.muster = os.path.abspath(options.muster)
    parts = {"table": measure_table, "backlog": measure_backlog, "latency": measure_latency}
    for name, measure in parts.items():
        if options.only not in (None, name):
            continue
        print(f"== {name}", flush=True)
        directory = tempfile.mkdtemp(prefix="muster-bench-")
        server = Server()
        try:
            server.start()
            measure(options, directory, server)
        finally:
            server.remove()
            shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
