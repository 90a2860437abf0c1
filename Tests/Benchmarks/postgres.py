"""A PostgreSQL server of a benchmark's own, on 127.0.0.1, in a directory of its own, durable as a real one.

Not a program: other benchmarks import it.
"""
import glob
import os
import re
import shutil
import socket
import subprocess
import tempfile


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
    """fsync and synchronous_commit stay on. Commit timestamps are kept, so that nobody has to look all the time."""

    def __init__(self):
        self.programs, self.port = newest_programs(), free_port()
        self.directory = tempfile.mkdtemp(prefix="muster-bench-pg-")
        self.data = os.path.join(self.directory, "data")
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        # The server refuses to run as root.
        self.owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        if self.owner:
            shutil.chown(self.directory, "postgres", "postgres")
        self.run("initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                       f"unix_socket_directories = '{self.directory}'\n"
                       "fsync = on\nsynchronous_commit = on\ntrack_commit_timestamp = on\nmax_wal_size = '4GB'\n")

    def run(self, program, *arguments):
        command = [os.path.join(self.programs, program), *arguments]
        with open(os.path.join(self.directory, "log"), "ab") as log:
            if subprocess.run(command, cwd="/", stdout=log, stderr=log, **self.owner).returncode != 0:
                with open(log.name, encoding="utf-8") as file:
                    raise SystemExit(f"{program} failed: {file.read()[-1500:]}")

    def start(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-l", os.path.join(self.directory, "server.log"), "start")

    def stop(self):
        self.run("pg_ctl", "-D", self.data, "-w", "-m", "fast", "stop")

    def remove(self):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.directory, ignore_errors=True)

    def sql(self, *statements):
        """Runs statements one after the other; answers the rows as lists of texts."""
        commands = [part for statement in statements for part in ("-c", statement)]
        answer = subprocess.run(
            [os.path.join(self.programs, "psql"), "-X", "-q", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d",
             self.url, *commands], capture_output=True, text=True)
        if answer.returncode != 0:
            raise SystemExit(f"{statements}: {answer.stderr}")
        return [line.split("\t") for line in answer.stdout.splitlines()]

    def empty(self, *tables):
        """Rounds begin alike: nothing in the tables, nothing left to write."""
        self.sql(*(f"TRUNCATE {table}" for table in tables), "CHECKPOINT")
        os.sync()
