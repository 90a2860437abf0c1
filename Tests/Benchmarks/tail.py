#!/usr/bin/env python3
"""Measures what a poll costs that brings little, against one that brings the whole log.

usage: tail.py MUSTER [--records 100000] [--new 100] [--rounds 9] [--pacing 5ms]
An emulated terminal holds a log; `muster sync` reads it whole, then again after new punches, then again unchanged. Bytes
and request frames are counted by a proxy between the two, times are taken without it. Prints both and their ratios.
Use a release build. The pacing is the emulator's pause after each frame of bulk data; 5ms is its default.
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

OPENING = {1000: "CONNECT", 1102: "AUTH", 1002: "ENABLEDEVICE", 11: "OPTIONS_RRQ", 1100: "GET_VERSION", 1001: "EXIT"}
POLL = {201: "GET_TIME", 50: "GET_FREE_SIZES", 1503: "PREPARE_BUFFER", 1504: "READ_BUFFER", 1502: "FREE_DATA", 13: "ATTLOG_RRQ"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """Hands bytes on between one client after another and the terminal; counts bytes and requests."""

    def __init__(self, target):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = target
        self.reset()
        threading.Thread(target=self.accept, daemon=True).start()

    def reset(self):
        self.received = 0
        self.requests = []

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.target))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.requesting, args=(client, server), daemon=True).start()
            threading.Thread(target=self.answering, args=(server, client), daemon=True).start()

    def requesting(self, client, server):
        pending = b""
        while data := client.recv(65_536):
            pending += data
            while len(pending) >= 16:
                length = struct.unpack_from("<I", pending, 4)[0] + 8
                if len(pending) < length:
                    break
                self.requests.append(struct.unpack_from("<H", pending, 8)[0])
                pending = pending[length:]
            server.sendall(data)
        server.close()

    def answering(self, server, client):
        try:
            while data := server.recv(65_536):
                self.received += len(data)
                client.sendall(data)
        except OSError:
            pass
        client.close()


class Bench:
    def __init__(self, muster, directory, options):
        self.muster = muster
        self.directory = directory
        self.port = free_port()
        self.emulator = subprocess.Popen(
            [muster, "emulate", "zkteco", "--listen", f"127.0.0.1:{self.port}", "--records", str(options.records),
             "--people", "500", "--pacing", options.pacing],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert "listening" in self.emulator.stdout.readline(), "the emulator did not come up"
        self.proxy = Proxy(self.port)

    def configure(self, name, port):
        path = os.path.join(self.directory, f"{name}.yaml")
        data = os.path.join(self.directory, f"data-{name}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"data: {data}\ntimezone: UTC\ndevices:\n  terminal:\n    driver: zkteco\n"
                       f"    settings: {{address: 127.0.0.1, port: {port}}}\n    schedule: {{window: all}}\n")
        return path, data

    def punch(self, count):
        self.emulator.stdin.write(f"burst {count}\n")
        self.emulator.stdin.flush()
        # Two punches of one person in one second would be one.
        time.sleep(1.2)

    def sync(self, config):
        start = time.monotonic()
        output = subprocess.run([self.muster, "sync", "terminal", "--config", config, "--format", "json"], check=True,
                                capture_output=True).stdout
        seconds = time.monotonic() - start
        result = json.loads(output)
        return seconds, result[0] if isinstance(result, list) else result

    def counted(self, config):
        """What a sync added, the bytes that it received, and its requests."""
        self.proxy.reset()
        _, result = self.sync(config)
        time.sleep(0.2)
        return result["logs_synced"], self.proxy.received, self.proxy.requests


def names(requests):
    return ", ".join({**OPENING, **POLL}.get(code, str(code)) for code in requests)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--new", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--pacing", default="5ms")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="muster-tail-")
    bench = Bench(os.path.abspath(options.muster), directory, options)
    try:
        config, _ = bench.configure("counted", bench.proxy.port)
        added, full_bytes, _ = bench.counted(config)
        assert added == options.records, added
        bench.punch(options.new)
        added, tail_bytes, requests = bench.counted(config)
        assert added == options.new, added
        print(f"bytes received: whole log of {options.records}: {full_bytes}; with {options.new} new: {tail_bytes}, "
              f"{100 * tail_bytes / full_bytes:.2f} % (goal 2 % or less)")
        added, idle_bytes, requests = bench.counted(config)
        assert added == 0, added
        poll = [code for code in requests if code in POLL]
        print(f"unchanged: {idle_bytes} bytes, {len(poll)} request frames of the poll ({names(poll)}; goal 6 or less) "
              f"and {len(requests) - len(poll)} of opening and closing the session")

        config, data = bench.configure("timed", bench.port)
        full, tail, idle = [], [], []
        for _ in range(3):
            shutil.rmtree(data, ignore_errors=True)
            full.append(bench.sync(config)[0])
        for _ in range(options.rounds):
            bench.punch(options.new)
            seconds, result = bench.sync(config)
            assert result["logs_synced"] == options.new, result
            tail.append(seconds)
            idle.append(bench.sync(config)[0])
        whole, little = statistics.median(full), statistics.median(tail)
        print(f"wall time of muster sync, medians: whole log {whole * 1000:.0f} ms, {options.new} new "
              f"{little * 1000:.0f} ms, unchanged {statistics.median(idle) * 1000:.0f} ms; "
              f"new against whole 1/{whole / little:.0f} (goal 1/20 or less)")
    finally:
        bench.emulator.kill()
        bench.emulator.wait()
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
