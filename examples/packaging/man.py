#!/usr/bin/env python3
"""Writes muster(1) from what the program says of itself: man.py PATH-OF-MUSTER > muster.1

Every command and option comes from `muster --experimental-dump-help`, so that the page cannot lag behind; what stands
around them is written here.
"""

import json
import os
import subprocess
import sys
from datetime import date

ENDING = r"""
.SH FILES
.TP
.I muster.yaml
The configuration, unless \fB\-\-config\fR names another. The service of the Debian package uses
.IR /etc/muster/muster.yaml .
\fBmuster init\fR writes a commented one, \fBmuster schema\fR tells editors every key.
.TP
.IR data /journal.sqlite
Every punch, in the directory that \fBdata:\fR names. Back it up while the host runs with
\fBsqlite3 journal.sqlite "VACUUM INTO 'copy.sqlite'"\fR.
.TP
.IR data /secrets.json ", " data /secrets.key
Sealed secrets and their key. Keep copies of the two apart.
.TP
.IR data /host.lock ", " data /control.sock
One host for each data directory; commands reach it through the socket.
.SH ENVIRONMENT
.TP
.I NAME
A configuration may use any variable as \fB${NAME}\fR or \fB${NAME:\-default}\fR.
.TP
.B CREDENTIALS_DIRECTORY
Set by systemd. The file \fImuster\-key\fR in it is the key of the secrets, in the place of \fIsecrets.key\fR.
.TP
.BR NOTIFY_SOCKET ", " WATCHDOG_USEC
Set by systemd. The host tells that it is ready, what it does, and that it lives: only when the journal and every
device's supervisor have answered.
.TP
.BR NO_COLOR ", " COLUMNS
No colour; the width of tables.
.SH SIGNALS
SIGTERM and SIGINT end the host within 10 seconds. Nothing is lost by SIGKILL either.
.SH "EXIT STATUS"
.TP
.B 0
Done.
.TP
.B 64
Usage.
.TP
.B 69
Unavailable: no journal, no host, a device that does not speak as it should.
.TP
.B 74
A file or disk that cannot be read or written.
.TP
.B 75
Try again: another host owns the data directory, or a device does not answer.
.TP
.B 77
Refused by the device.
.TP
.B 78
The configuration has errors.
.PP
\fBmuster status \-\-check\fR ends with 0 to 3, as monitoring systems of the Nagios family want it.
.SH EXAMPLES
.nf
muster init && muster check
muster test front\-door
muster run
muster secret set front\-door < key.txt
muster status \-\-check \-\-lag 10m,1h \-\-away 1,5
muster punches \-\-device front\-door \-\-since today \-\-format csv
.fi
"""


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def name_of(name):
    return ("--" if name["kind"] == "long" else "-") + name["name"]


def usage_of(argument):
    """`--for for`, `device ...`"""
    if argument["kind"] == "positional":
        text = f"\\fI{escaped(argument['valueName'])}\\fR"
        return text + (" ..." if argument["isRepeating"] else "")
    names = ", ".join(f"\\fB{escaped(name_of(name))}\\fR" for name in argument["names"])
    return names if argument["kind"] == "flag" else f"{names} \\fI{escaped(argument['valueName'])}\\fR"


def write_arguments(command, lines):
    for argument in command.get("arguments", []):
        shown = argument.get("shouldDisplay", True)
        names = {name["name"] for name in argument.get("names", [])}
        # Every command has these; they stand once at the top.
        if not shown or names & {"help", "version", "config"}:
            continue
        lines += [".TP", usage_of(argument)]
        text = " ".join(filter(None, [argument.get("abstract"), argument.get("discussion")]))
        if argument.get("defaultValue"):
            text += f" (default: {argument['defaultValue']})"
        lines.append(escaped(text or argument["valueName"]))


def write_command(command, parents, lines):
    path = parents + [command["commandName"]]
    positional = [usage_of(a) for a in command.get("arguments", []) if a["kind"] == "positional"]
    lines.append(f'.SS "{escaped(" ".join([*path[1:], *positional]))}"')
    parts = [part for part in (command.get("abstract"), command.get("discussion")) if part]
    lines += [line for part in parts for line in (".PP", escaped(part))][1:]
    write_arguments(command, lines)
    for child in command.get("subcommands", []):
        if child["commandName"] != "help":
            write_command(child, path, lines)


def main():
    muster = sys.argv[1]
    root = json.loads(subprocess.run([muster, "--experimental-dump-help"], capture_output=True, check=True).stdout)["command"]
    version = subprocess.run([muster, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    # Reproducible where the build says so.
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    today = date.fromtimestamp(int(seconds)) if seconds else date.today()
    lines = [
        f'.TH MUSTER 1 "{today}" "muster {version}" "User Commands"',
        ".SH NAME", "muster \\- collects punches from time\\-and\\-attendance terminals",
        ".SH SYNOPSIS", ".B muster", "\\fIcommand\\fR [\\fIoptions\\fR]",
        ".br", ".B muster \\-\\-version",
        ".SH DESCRIPTION", escaped(root["abstract"]),
        "One YAML file says which terminals there are, when they are read and where their punches go.",
        ".PP", "Every command that needs the configuration takes \\fB\\-\\-config\\fR \\fIpath\\fR, or \\fB\\-p\\fR "
        "\\fIpath\\fR; without it, \\fImuster.yaml\\fR in the working directory. Every command takes \\fB\\-\\-help\\fR.",
        ".SH COMMANDS",
    ]
    for command in root["subcommands"]:
        if command["commandName"] != "help":
            write_command(command, [root["commandName"]], lines)
    print("\n".join(lines) + ENDING, end="")


main()
