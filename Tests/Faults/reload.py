#!/usr/bin/env python3
"""Reloads a host's configuration again and again, with half of the files invalid, and looks at what it disturbs.

One emulator plays many terminals; the host captures from all of them. The first ones are never touched by any file;
the others are added, removed, changed and moved at random, and so are sinks; one sink never takes anything. Some files
are replaced by a rename, some written in place; some are applied by `muster reload`, some by SIGHUP, some by nobody:
the host has to see them.

Judged: the untouched devices hold the connection that they had at the start, and none was opened besides; an invalid
file changes nothing and is answered with file:line:column; at the end the host has exactly the devices and sinks of the
last valid file, connected once each; and it has no more descriptors and threads than a host that was started with that
file.

usage: reload.py MUSTER [--reloads 200] [--seconds 60] [--devices 200] [--seed 1] [--keep]
"""
import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def free_ports(count):
    """The first of so many free ports in a row."""
    for start in range(21000, 60000, count):
        probes = []
        try:
            for port in range(start, start + count):
                probe = socket.socket()
                probes.append(probe)
                probe.bind(("127.0.0.1", port))
            return start
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise SystemExit("no free ports")


class Terminals:
    """An emulator with many terminals, asked over its standard input."""

    def __init__(self, muster, directory, count):
        self.start, self.count = free_ports(count), count
        self.log = os.path.join(directory, "emulator.log")
        self.process = subprocess.Popen(
            [muster, "emulate", "zkteco", "--listen", f"127.0.0.1:{self.start}", "--count", str(count), "--records",
             "20", "--people", "5", "--pacing", "0ms"],
            stdin=subprocess.PIPE, stdout=open(self.log, "w"), stderr=subprocess.STDOUT)
        wait_until(lambda: open(self.log).read().count("listening") == count, "the terminals listen")

    def connections(self):
        """For each terminal: how many clients are connected, and how many have been."""
        size = os.path.getsize(self.log)
        self.process.stdin.write(b"connections\n")
        self.process.stdin.flush()
        pattern = re.compile(r"^(\d+): (\d+) connected, (\d+) since the start$", re.MULTILINE)

        def answers():
            with open(self.log) as file:
                file.seek(size)
                return pattern.findall(file.read())

        wait_until(lambda: len(answers()) == self.count, "the terminals answer")
        return {int(number) - 1: (int(now), int(ever)) for number, now, ever in answers()}


def wait_until(is_true, what, limit=60):
    end = time.time() + limit
    while not is_true():
        if time.time() > end:
            raise SystemExit(f"not within {limit} s: {what}")
        time.sleep(0.05)


class Office:
    """A configuration that changes at random. Devices below `fixed` never do."""

    def __init__(self, count, fixed, first_port, chance):
        self.count, self.fixed, self.first_port, self.chance = count, fixed, first_port, chance
        self.devices = {index: {"port": index, "alert": 5, "name": f"Terminal {index}", "sinks": ["audit"]}
                        for index in range(count)}
        self.sinks = {"audit": "{type: file, path: audit.jsonl}",
                      "stuck": "{type: webhook, url: \"http://127.0.0.1:9/\", retry_base: 10ms}"}
        for index in range(0, count, 2):
            self.devices[index]["sinks"] = ["audit", "stuck"]

    def change(self):
        """Some of what an operator does; returns which devices lose their session."""
        loose = [index for index in self.devices if index >= self.fixed]
        kind = self.chance.choice(["remove", "add", "alert", "name", "sinks", "move", "sink", "sink", "quota"])
        if kind == "remove" and len(loose) > 5:
            for index in self.chance.sample(loose, self.chance.randint(1, 4)):
                del self.devices[index]
        elif kind == "add":
            missing = [index for index in range(self.fixed, self.count) if index not in self.devices]
            for index in missing[:self.chance.randint(1, 6)]:
                self.devices[index] = {"port": index, "alert": 5, "name": f"Terminal {index}", "sinks": ["audit"]}
        elif kind == "alert" and loose:
            self.devices[self.chance.choice(loose)]["alert"] = self.chance.randint(3, 50)
        elif kind == "name":
            self.chance.choice(list(self.devices.values()))["name"] = f"Renamed {self.chance.random()}"
        elif kind == "sinks":
            self.chance.choice(list(self.devices.values()))["sinks"] = self.chance.choice(
                [["audit"], ["audit", "stuck"], ["stuck"]])
        elif kind == "move" and loose:
            # The same terminal under another name: one device goes and one comes at its address.
            moved = self.devices[self.chance.choice(loose)]
            moved["id"] = moved.get("id", 0) + 1
        elif kind == "sink":
            if "extra" in self.sinks:
                del self.sinks["extra"]
            else:
                self.sinks["extra"] = f"{{type: file, path: extra-{self.chance.randint(0, 3)}.jsonl}}"
        elif kind == "quota":
            self.sinks["stuck"] = (
                f"{{type: webhook, url: \"http://127.0.0.1:9/{self.chance.randint(0, 9)}\", retry_base: 10ms}}")

    def text(self):
        sinks = "".join(f"  {name}: {value}\n" for name, value in self.sinks.items())
        devices = ""
        for index, device in sorted(self.devices.items()):
            named = device["sinks"] + (["extra"] if "extra" in self.sinks and index % 3 == 0 else [])
            devices += (
                f"  t{index}{'x' * (device.get('id', 0) % 2)}:\n    name: {device['name']}\n    driver: zkteco\n"
                f"    settings: {{address: 127.0.0.1, port: {self.first_port + device['port']}}}\n"
                f"    lifecycle: {{alert_after: {device['alert']}, reconnect_base: 100ms}}\n"
                f"    sinks: [{', '.join(named)}]\n")
        return (f"data: data\ntimezone: UTC\nsinks:\n{sinks}defaults:\n  schedule: {{poll: '*/5 * * * *'}}\n"
                f"devices:\n{devices}")

    def broken(self):
        """The text with one of the mistakes that people make."""
        text = self.text()
        return self.chance.choice([
            lambda: text.replace("    settings:", "    setings:", 1),
            lambda: text.replace(f"port: {self.first_port + self.devices[0]['port']}", "port: 99999", 1),
            lambda: text + "  t0:\n    driver: zkteco\n    settings: {address: 10.0.0.1}\n",
            lambda: text.replace("driver: zkteco", "driver: zktecco", 1),
            lambda: text[:len(text) // 2] + "\n  - [broken\n" + text[len(text) // 2:],
            lambda: text + "  t9999: {driver: zkteco, settings: {address: 10.0.0.1, password: \"abc\"}}\n",
        ])()


class Host:
    def __init__(self, muster, directory):
        self.muster, self.directory = muster, directory
        self.path = os.path.join(directory, "muster.yaml")

    def start(self):
        self.process = subprocess.Popen(
            [self.muster, "run", "--no-show", "--config", "muster.yaml"], cwd=self.directory,
            stdout=subprocess.DEVNULL, stderr=open(os.path.join(self.directory, "host.log"), "a"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def write(self, text, in_place):
        if in_place:
            with open(self.path, "w", encoding="utf-8") as file:
                # In two pieces, so that half of it could be seen.
                file.write(text[:len(text) // 2])
                file.flush()
                time.sleep(0.01)
                file.write(text[len(text) // 2:])
            return
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.path + ".new", self.path)

    def ask(self):
        """What `muster reload` asks over the control socket: 200 starts of a program in a minute would measure those."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(os.path.join(self.directory, "data", "control.sock"))
            link.settimeout(60)
            link.sendall(b'{"verb":"reload","devices":[]}\n')
            return json.loads(link.makefile().readline())["reload"]

    def reload(self):
        return subprocess.run([self.muster, "reload", "--format", "json", "--config", "muster.yaml"],
                              cwd=self.directory, capture_output=True, text=True)

    def log(self):
        with open(os.path.join(self.directory, "host.log"), encoding="utf-8") as file:
            return file.read()

    def online(self):
        result = subprocess.run([self.muster, "status", "--format", "json", "--config", "muster.yaml"],
                                cwd=self.directory, capture_output=True, text=True)
        if result.returncode != 0:
            return {}
        return {row["device"]: row for row in json.loads(result.stdout)}

    def resources(self):
        """Descriptors by kind, and threads."""
        kinds = {}
        for number in os.listdir(f"/proc/{self.process.pid}/fd"):
            try:
                target = os.readlink(f"/proc/{self.process.pid}/fd/{number}")
            except OSError:
                continue
            kind = target.split(":")[0] if ":" in target else os.path.basename(target)
            kinds[kind] = kinds.get(kind, 0) + 1
        threads = len(os.listdir(f"/proc/{self.process.pid}/task"))
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            resident = next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmRSS"))
        return kinds, threads, resident


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("muster")
    parser.add_argument("--reloads", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    muster, chance = os.path.abspath(options.muster), random.Random(options.seed)
    directory = tempfile.mkdtemp(prefix="muster-reload-")
    terminals = Terminals(muster, directory, options.devices)
    fixed = options.devices * 3 // 4
    office = Office(options.devices, fixed, terminals.start, chance)
    host, problems = Host(muster, directory), []
    try:
        host.write(office.text(), in_place=False)
        host.start()
        wait_until(lambda: sum(now for now, _ in terminals.connections().values()) == options.devices,
                   "all devices are connected", 120)
        wait_until(lambda: all(row["state"] == "online" for row in host.online().values()), "all devices are online")
        before, (kinds_before, threads_before, memory_before) = terminals.connections(), host.resources()
        print(f"{options.devices} devices are online; descriptors {sum(kinds_before.values())}, threads "
              f"{threads_before}, memory {memory_before} MiB", flush=True)
        counts = {"valid": 0, "invalid": 0, "command": 0, "socket": 0, "signal": 0, "files": 0}
        refused, slowest, begin = 0, 0.0, time.time()
        for number in range(options.reloads):
            is_valid = number % 2 == 0
            if is_valid:
                office.change()
            text = office.text() if is_valid else office.broken()
            counts["valid" if is_valid else "invalid"] += 1
            host.write(text, in_place=chance.random() < 0.3)
            # A file that is replaced before anybody has looked at it need not be read: the last valid one is asked for.
            is_last = number == options.reloads - 2
            way = "command" if is_last else chance.choices(
                ["command", "socket", "signal", "files"], [10, 60, 20, 10])[0]
            counts[way] += 1
            if way == "signal":
                host.process.send_signal(signal.SIGHUP)
            elif way == "socket":
                start = time.time()
                answer = host.ask()
                slowest = max(slowest, time.time() - start)
                if is_valid and answer["outcome"] == "refused":
                    problems.append(f"reload {number}: a valid file was refused: {answer['problems']}")
                if not is_valid:
                    refused += 1
                    if answer["outcome"] != "refused" or not any(
                            re.match(r"muster\.yaml:\d+:\d+: error:", problem) for problem in answer["problems"]):
                        problems.append(f"reload {number}: an invalid file was answered with {answer}")
            elif way == "command":
                start = time.time()
                answer = host.reload()
                slowest = max(slowest, time.time() - start)
                if is_valid and answer.returncode != 0:
                    problems.append(f"reload {number}: a valid file ended with {answer.returncode}: {answer.stderr}")
                if not is_valid:
                    refused += 1
                    places = re.search(r"muster\.yaml:\d+:\d+: error:", answer.stderr + answer.stdout)
                    if answer.returncode != 78 or not places:
                        problems.append(f"reload {number}: an invalid file ended with {answer.returncode}: "
                                        f"{answer.stderr}{answer.stdout}")
            pause = begin + (number + 1) * options.seconds / options.reloads - time.time()
            time.sleep(max(pause, 0))
        took = time.time() - begin
        print(f"{options.reloads} reloads in {took:.1f} s: {counts}; the slowest answer took {slowest:.2f} s", flush=True)
        applied, rejected = host.log().count("was reloaded"), host.log().count("is refused")
        print(f"the host applied {applied} and refused {rejected}")
        if took > options.seconds * 1.5:
            problems.append(f"the reloads took {took:.1f} s")
        # The last valid file holds, although the last file is invalid.
        last_valid = office.text()
        time.sleep(2)
        wanted = {office.devices[index]["port"] for index in office.devices}
        wait_until(lambda: {index for index, (now, _) in terminals.connections().items() if now} == wanted,
                   "the terminals of the last valid file are connected, and no others")
        after = terminals.connections()
        for index, (now, ever) in sorted(after.items()):
            if now > 1:
                problems.append(f"terminal {index} has {now} connections")
            if index < fixed and ever != before[index][1]:
                problems.append(f"terminal {index} was never touched and was connected {ever - before[index][1]} more")
        host.write(last_valid, in_place=False)
        answer = json.loads(host.reload().stdout)
        print(f"generation {answer['generation']}; the last valid file written again: {answer['outcome']}")
        if answer["outcome"] != "unchanged":
            problems.append(f"the last valid file does not hold: {answer}")
        time.sleep(3)
        kinds, threads, memory = host.resources()
        code = host.stop()
        if code != 0:
            problems.append(f"the host ended with {code}")
        # A host that never reloaded, with the same file, is the measure.
        host.start()
        wait_until(lambda: len(host.online()) == len(office.devices)
                   and all(row["state"] == "online" for row in host.online().values()), "online again", 120)
        time.sleep(3)
        fresh, fresh_threads, fresh_memory = host.resources()
        print(f"descriptors after the reloads {sum(kinds.values())}, of a fresh host {sum(fresh.values())}; threads "
              f"{threads} and {fresh_threads}; memory {memory} and {fresh_memory} MiB")
        if sum(kinds.values()) > sum(fresh.values()) + 2:
            problems.append(f"descriptors leak: {kinds} against {fresh}")
        if threads > fresh_threads + 4:
            problems.append(f"threads leak: {threads} against {fresh_threads}")
        host.stop()
        opened = sum(after[index][1] - before[index][1] for index in after)
        print(f"{fixed} untouched devices kept their connection; the others were connected {opened} times more")
        if "critical" in host.log():
            problems.append("the host's log has critical lines")
    finally:
        for child in (getattr(host, "process", None), terminals.process):
            if child is not None and child.poll() is None:
                child.kill()
                child.wait()
        if options.keep or problems:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory)
    for problem in problems[:20]:
        print(f"  {problem}")
    print("FAIL" if problems else "PASS")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
