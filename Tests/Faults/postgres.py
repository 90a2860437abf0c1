"""A PostgreSQL server of a fault test's own, and a proxy before it that swallows answers.

Not a program: fault tests import it. The server listens on 127.0.0.1 in a directory of its own, with fsync and
synchronous_commit on, as they are by default.
"""
import collections
import glob
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def newest_programs():
    """The directory with initdb, pg_ctl and psql of the newest version that is installed."""
    found = glob.glob("/usr/lib/postgresql/*/bin")
    if not found:
        raise SystemExit("there is no PostgreSQL server under /usr/lib/postgresql: run make deps")
    return max(found, key=lambda path: int(re.search(r"/(\d+)", path).group(1)))


class Server:
    def __init__(self):
        self.programs, self.port = newest_programs(), free_port()
        self.directory = tempfile.mkdtemp(prefix="muster-faults-pg-")
        self.data, self.log = os.path.join(self.directory, "data"), os.path.join(self.directory, "log")
        # The server refuses to run as root.
        self.owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        if self.owner:
            shutil.chown(self.directory, "postgres", "postgres")
        self.run("initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                       f"unix_socket_directories = '{self.directory}'\nlc_messages = 'C'\n")
        self.control("start")

    def run(self, program, *arguments):
        output = subprocess.run(
            [os.path.join(self.programs, program), *arguments], cwd="/", stdin=subprocess.DEVNULL,
            stdout=open(os.path.join(self.directory, "programs.log"), "a"), stderr=subprocess.STDOUT, **self.owner)
        if output.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(arguments)}: see {self.directory}")

    def control(self, *arguments):
        self.run("pg_ctl", "-D", self.data, "-w", "-t", "120", "-l", self.log, *arguments)

    def crash(self):
        """Every process of the server ends without a checkpoint, and it starts again with recovery."""
        self.control("-m", "immediate", "restart")

    def recoveries(self):
        """How often the log says that the server came back from a crash."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read().count("database system was not properly shut down")

    def rows(self, sql):
        """One value of JSON for each row that the query answers; None when the server is away."""
        output = subprocess.run(
            [os.path.join(self.programs, "psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d",
             f"host=127.0.0.1 port={self.port} dbname=postgres user=postgres connect_timeout=5", "-c", sql],
            capture_output=True, text=True)
        return [json.loads(line) for line in output.stdout.splitlines()] if output.returncode == 0 else None

    def remove(self, keep):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.control("-m", "immediate", "stop")
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)


class Session:
    """One client's connection through the proxy."""

    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.server = socket.create_connection(("127.0.0.1", proxy.server_port), timeout=5)
        self.server.settimeout(None)
        self.is_started = self.is_inserting = self.is_copying = self.is_over = False
        for pump in (self.forward_requests, self.forward_answers):
            threading.Thread(target=pump, daemon=True).start()

    def forward_requests(self):
        pending = bytearray()
        while data := self.receive(self.client):
            pending += data
            is_write = False
            for kind, body in self.messages(pending):
                if kind in b"PQ" and b"INSERT INTO attendance_records" in body:
                    self.is_inserting = is_write = True
                is_write |= kind in b"d"
            if not self.send(self.server, data):
                break
            if is_write and self.proxy.fires("request"):
                break
        self.end()

    def forward_answers(self):
        pending = bytearray()
        self.is_answering = True
        while data := self.receive(self.server):
            self.proxy.hold()
            pending += data
            if any(self.is_swallowed(kind, body) for kind, body in self.messages(pending, has_startup=False)):
                break
            if not self.send(self.client, data):
                break
        else:
            if not self.is_over:
                self.proxy.counts["sessions that the server ended"] += 1
        self.end()

    def is_swallowed(self, kind, body):
        """Looks at what the server says: a CommandComplete that is armed for goes no further."""
        if kind != ord("C"):
            return False
        tag = bytes(body).rstrip(b"\0")
        was_inserting, self.is_inserting = self.is_inserting, False
        if tag.startswith(b"COPY"):
            self.is_copying = True
        elif tag in (b"COMMIT", b"ROLLBACK"):
            was_copying, self.is_copying = self.is_copying, False
            return tag == b"COMMIT" and was_copying and self.proxy.fires("commit")
        elif was_inserting and tag == b"SELECT 1":  # One answer row: at least one punch was new.
            return self.proxy.fires("insert")
        return False

    def messages(self, pending, has_startup=True):
        """Takes the whole messages off `pending`; a client's first one has no type."""
        if has_startup and not self.is_started and len(pending) >= 4:
            length = struct.unpack_from("!I", pending)[0]
            if len(pending) < length:
                return
            del pending[:length]
            self.is_started = True
        at = 0
        while len(pending) >= at + 5:
            end = at + 1 + struct.unpack_from("!I", pending, at + 1)[0]
            if len(pending) < end:
                break
            yield pending[at], pending[at + 5:end]
            at = end
        del pending[:at]

    @staticmethod
    def receive(source):
        try:
            return source.recv(65536)
        except OSError:
            return b""

    @staticmethod
    def send(target, data):
        try:
            target.sendall(data)
            return True
        except OSError:
            return False

    def end(self):
        """Shuts both sides, so that the other pump ends too."""
        self.is_over = True
        self.proxy.sessions.discard(self)
        for side in (self.client, self.server):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Proxy:
    """Stands between the host and the server, on a port of its own."""

    def __init__(self, server_port):
        self.server_port, self.port = server_port, 0
        self.sessions, self.counts = set(), collections.Counter()
        self.armed, self.fired, self.lock = None, threading.Event(), threading.Lock()
        self.held_until = 0.0
        self.listener = self.bind()
        self.port = self.listener.getsockname()[1]
        self.admit()

    def bind(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        return listener

    def admit(self):
        self.listener.listen(64)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def refuse(self):
        """Ends all sessions and refuses new ones. The port stays taken: a socket that does not listen refuses."""
        listener = self.listener
        try:
            listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        listener.close()
        deadline = time.monotonic() + 10
        while True:
            try:
                self.listener = self.bind()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        for session in list(self.sessions):
            session.end()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                self.sessions.add(Session(self, client))
            except OSError:  # The server is away.
                self.counts["clients that met no server"] += 1
                client.close()

    def arm(self, kind):
        """The next answer of this kind is not forwarded: `fired` tells when it happened."""
        with self.lock:
            self.fired.clear()
            self.armed = kind

    def disarm(self):
        with self.lock:
            self.armed = None

    def fires(self, kind):
        with self.lock:
            if self.armed != kind:
                return False
            self.armed = None
            self.counts[kind] += 1
        self.fired.set()
        return True

    def stall(self, seconds):
        """Answers are held back for so long, so that a backlog forms that is worth a COPY."""
        self.held_until = time.monotonic() + seconds

    def hold(self):
        time.sleep(max(0.0, self.held_until - time.monotonic()))
