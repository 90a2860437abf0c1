"""A mail server: aiosmtpd, on a loopback port that it prints. Every message it takes becomes a file in DIRECTORY.

usage: smtp_server.py DIRECTORY plain|starttls|tls [USER PASSWORD]

With starttls and tls it uses server.pem and server.key of DIRECTORY and takes nothing in clear; with USER it takes
nothing from anybody else. Recipients that begin with "gone" do not exist; those that begin with "later" do not yet.
"""
import json
import os
import socket
import ssl
import sys
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class Handler:
    def __init__(self, directory):
        self.directory, self.count = directory, 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone"):
            return "550 no such person"
        if address.startswith("later"):
            return "450 not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        name = os.path.join(self.directory, f"{self.count:03}")
        with open(name + ".eml", "wb") as file:
            file.write(envelope.content)
        facts = {
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "hello": session.host_name,
            "secure": server.transport.get_extra_info("ssl_object") is not None, "user": getattr(session.auth_data, "login", b"").decode(),
        }
        with open(name + ".tmp", "w") as file:
            json.dump(facts, file)
        os.rename(name + ".tmp", name + ".json")
        return "250 taken"


def authenticator(user, password):
    def check(server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=good, handled=False, auth_data=data)

    return check


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main():
    # It warns of logins in clear, which the tests are about.
    warnings.simplefilter("ignore")
    directory, mode, *credentials = sys.argv[1:]
    options = {}
    if mode != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory + "/server.pem", directory + "/server.key")
        options = {"ssl_context": context} if mode == "tls" else {"tls_context": context, "require_starttls": True}
    if credentials:
        options |= {"authenticator": authenticator(*credentials), "auth_required": True, "auth_require_tls": False}
    controller = Controller(Handler(directory), hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    print(controller.port, flush=True)
    sys.stdin.read()
    os._exit(0)


main()
