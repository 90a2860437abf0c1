#!/usr/bin/env python3
"""Breaks everything between terminals and PostgreSQL, then lets the database be the judge.

A ZKTeco terminal (our emulator, which writes every record to a truth file before it sends it) and the simulator
driver, whose log is a function of its seed and of the time, issue punches. The host delivers them to PostgreSQL through
a proxy.
Meanwhile, at random: SIGKILL of the host, immediate restarts of PostgreSQL, and connections that are cut after the
server has carried a statement out and before its answer arrives. Then an outage, while capture goes on. At the end the
table must hold exactly what the devices hold: nothing missing, nothing spurious, nothing twice, in the journal's order.

usage: oracle.py MUSTER [--kills 500] [--restarts 50] [--cuts 50] [--outage 600] [--seed 1] [--keep]
Exits 0 only when everything agrees and every kind of fault is proved to have happened as often as it was asked for.
"""
import argparse
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Shared"))
from cluster import Cluster, free_port, json_lines  # noqa: E402
from kill9 import Rig, compare, key, truth_key  # noqa: E402

READY = b"Z\x00\x00\x00\x05"  # ReadyForQuery: the server has carried a statement out


class Proxy:
    """Relays connections; can refuse them, and can swallow the answer to a write and cut."""

    def __init__(self, upstream):
        self.upstream, self.port = upstream, free_port()
        self.armed, self.cuts = 0, 0
        self.connections, self.lock = set(), threading.Lock()
        self.listen()

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            link = {"client": client, "server": server, "swallow": False, "is_copying": False}
            with self.lock:
                self.connections.add(client)
            threading.Thread(target=self.relay, args=(link, "client", "server"), daemon=True).start()
            threading.Thread(target=self.relay, args=(link, "server", "client"), daemon=True).start()

    def relay(self, link, source, target):
        answer = b""
        try:
            while data := link[source].recv(65536):
                if source == "client":
                    with self.lock:
                        if self.stores_punches(link, data) and self.armed:
                            self.armed -= 1
                            link["swallow"] = True
                elif link["swallow"]:
                    answer = (answer + data)[-65536:]
                    if READY in answer:
                        with self.lock:
                            self.cuts += 1
                        break
                    continue
                link[target].sendall(data)
        except OSError:
            pass
        for end in (link["client"], link["server"]):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        with self.lock:
            self.connections.discard(link["client"])

    @staticmethod
    def stores_punches(link, data):
        """The commit of a copy of punches, or the one statement that inserts some. Other commits do not count."""
        if b"COPY attendance_records" in data:
            link["is_copying"] = True
        if b"COMMIT" in data and link["is_copying"]:
            link["is_copying"] = False
            return True
        return b"INTO attendance_records" in data

    def refuse(self, is_refusing):
        if not is_refusing:
            return self.listen()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for client in list(self.connections):
                try:
                    client.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def journal_count(rig):
    try:
        path = os.path.join(rig.directory, "data", "journal.sqlite")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5) as journal:
            return journal.execute("SELECT count(*) FROM punches").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def row_count(cluster):
    """None while the server is down."""
    answer = cluster.psql("-c", "SELECT count(*) FROM attendance_records", check=False).strip()
    return int(answer) if answer else None


def recoveries(cluster):
    with open(cluster.log, encoding="utf-8", errors="replace") as file:
        return sum("was not properly shut down" in line for line in file)


def break_things(rig, cluster, proxy, options, chance):
    """The kills, with restarts and cuts among them. Returns in how many runs the journal and the table grew."""
    restarts = set(chance.sample(range(options.kills), min(options.restarts, options.kills)))
    held, rows = journal_count(rig), row_count(cluster) or 0
    journal_grew = table_grew = 0
    for number in range(options.kills):
        if proxy.cuts + proxy.armed < options.cuts and chance.random() < 1.5 * options.cuts / options.kills:
            proxy.armed += 1
        host = rig.start()
        restart = None
        if number in restarts:
            delay = chance.uniform(0.1, 0.8)
            restart = threading.Timer(delay, cluster.restart, args=("immediate",))
            restart.start()
        time.sleep(chance.choice([chance.uniform(0.02, 0.4), chance.uniform(0.4, 1.6)]))
        if host.poll() is not None:
            raise SystemExit(f"kill {number + 1}: the host had ended by itself with {host.returncode}")
        host.send_signal(signal.SIGKILL)
        host.wait()
        if restart:
            restart.join()
        before, held = held, journal_count(rig)
        journal_grew += held > before
        found = row_count(cluster)
        table_grew += found is not None and found > rows
        rows = rows if found is None else found
        if (number + 1) % 25 == 0:
            print(f"kill {number + 1}: journal {held}, table {rows}, recoveries {recoveries(cluster)}, cuts "
                  f"{proxy.cuts}", flush=True)
    return journal_grew, table_grew


def finish_cuts(rig, cluster, proxy, wanted):
    """Cuts that no killed run has met: one after the other, in a host that lives."""
    host = rig.start()
    deadline = time.monotonic() + 60 + 2 * wanted
    while proxy.cuts < wanted and time.monotonic() < deadline:
        if proxy.armed == 0:
            proxy.armed = 1
        time.sleep(0.02)
    proxy.armed = 0
    return host


def outage(rig, cluster, proxy, seconds):
    """How many punches came, and how many rows, while the sink could not reach PostgreSQL."""
    proxy.refuse(True)
    time.sleep(2)
    held, rows = journal_count(rig), row_count(cluster)
    time.sleep(seconds)
    came, written = journal_count(rig) - held, row_count(cluster) - rows
    proxy.refuse(False)
    return came, written


def judge(rig, cluster):
    journal = rig.punches(rig.config)
    good = compare("terminal in the journal", {truth_key(record) for record in json_lines(rig.truth)},
                   [key(punch) for punch in journal if punch["device"] == "terminal"])
    # The simulator's log before its newest journalled second, read afresh by a host that was never killed.
    newest = max(punch["time"] for punch in journal if punch["device"] == "simulated")
    subprocess.run([rig.muster, "sync", "simulated", "--config", rig.judge_config], check=True, capture_output=True)
    good &= compare(
        "simulator in the journal", [key(punch) for punch in rig.punches(rig.judge_config) if punch["time"] < newest],
        [key(punch) for punch in journal if punch["device"] == "simulated" and punch["time"] < newest])
    rows = [tuple(row) for row in cluster.sql(
        """SELECT device, attendance_code, to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
           to_char(local_time, 'YYYY-MM-DD"T"HH24:MI:SS'), direction, direction_raw, verification, verification_raw,
           source FROM attendance_records ORDER BY id""")]
    fields = ("local_time", "direction", "direction_raw", "verification", "verification_raw", "source")
    valid = [key(punch) + tuple(str(punch[field]) for field in fields) for punch in journal if punch["is_valid"]]
    good &= compare("table against the journal", valid, rows)
    for device in ("terminal", "simulated"):
        if [row for row in rows if row[0] == device] != [one for one in valid if one[0] == device]:
            print(f"table: the order of {device} is not the journal's")
            good = False
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--restarts", type=int, default=50)
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--outage", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    directory = tempfile.mkdtemp(prefix="muster-oracle-")
    cluster = Cluster()
    proxy = Proxy(cluster.port)
    url = cluster.url.replace(f"port={cluster.port}", f"port={proxy.port}")
    sink = f"{{type: postgres, url: \"{url}\", retry_base: 100ms, retry_ceiling: 1s}}"
    rig = Rig(os.path.abspath(options.muster), directory, 5000, "20/s", "20/s", {"db": sink})
    host, verdict = None, False
    try:
        journal_grew, table_grew = break_things(rig, cluster, proxy, options, chance)
        host = finish_cuts(rig, cluster, proxy, options.cuts)
        came, written = outage(rig, cluster, proxy, options.outage)
        for _ in range(min(options.kills, 20)):  # Also while it works off what has waited.
            time.sleep(chance.uniform(0.05, 0.3))
            host.send_signal(signal.SIGKILL)
            host.wait()
            host = rig.start()
        rig.emulator.stdin.write(b"rate 0/s\n")  # The terminal falls silent, so that it can be counted.
        rig.emulator.stdin.flush()
        time.sleep(8)
        host.send_signal(signal.SIGTERM)
        code = host.wait(timeout=20)
        found = recoveries(cluster)
        print(f"kills {options.kills}: the journal grew in {journal_grew} of the runs, the table in {table_grew}\n"
              f"immediate restarts {options.restarts}: PostgreSQL recovered from {found} crashes\n"
              f"answers to writes that were swallowed: {proxy.cuts}\n"
              f"outage of {options.outage} s: {came} punches came, {written} rows were written\n"
              f"last drain: exit {code}")
        verdict = judge(rig, cluster)
        verdict &= journal_grew >= options.kills // 3 and table_grew >= options.kills // 3 and code == 0
        verdict &= found >= options.restarts and proxy.cuts >= options.cuts and came > 0 and written == 0
    finally:
        for child in (host, rig.emulator):
            if child is not None and child.poll() is None:
                child.kill()
                child.wait()
        cluster.remove()
        if options.keep or not verdict:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory)
    print("PASS" if verdict else "FAIL")
    return 0 if verdict else 1


if __name__ == "__main__":
    sys.exit(main())
