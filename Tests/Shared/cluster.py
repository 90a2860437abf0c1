"""A PostgreSQL cluster of one's own on loopback, and small helpers that benchmarks and fault tests share."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def json_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Cluster:
    """Durable settings: fsync and synchronous_commit are on, as they are by default."""

    def __init__(self, *settings):
        root = "/usr/lib/postgresql"
        versions = sorted((int(name) for name in os.listdir(root) if name.isdigit()), reverse=True)
        self.programs = f"{root}/{versions[0]}/bin"
        self.directory = tempfile.mkdtemp(prefix="muster-pg-")
        self.port = free_port()
        self.url = f"host=127.0.0.1 port={self.port} dbname=postgres user=postgres"
        self.log = f"{self.directory}/log"
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        self.run("initdb", "-D", self.data, "-U", "postgres", "--auth=trust")
        self.settings = [f"listen_addresses=127.0.0.1", f"port={self.port}",
                         f"unix_socket_directories={self.directory}", *settings]
        self.start()

    @property
    def data(self):
        return f"{self.directory}/data"

    def run(self, program, *arguments, check=True):
        command = [f"{self.programs}/{program}", *arguments]
        if os.geteuid() == 0:  # The server refuses to run as root.
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--reset-env", *command]
        return subprocess.run(command, cwd="/", check=check, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)

    def start(self):
        options = " ".join(f"-c {setting}" for setting in self.settings)
        self.run("pg_ctl", "-D", self.data, "-w", "-l", self.log, "-o", options, "start")

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop", check=False)

    def restart(self, mode):
        self.stop(mode)
        self.start()

    def psql(self, *arguments, url=None, check=True):
        return subprocess.run([f"{self.programs}/psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d",
                               url or self.url, *arguments], check=check, capture_output=True, text=True).stdout

    def sql(self, text):
        """Rows as lists of text."""
        return [line.split("|") for line in self.psql("-c", text).splitlines()]

    def remove(self):
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)
