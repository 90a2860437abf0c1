"""A loopback HTTP server for models of other people's systems. It prints its port and ends with its standard input.

GET /_state answers what the model holds. POST /_faults takes a list of what happens to the next requests:
"" nothing, "lost" the request is carried out and its answer is not sent, "<status>" or "<status> <seconds>" nothing is
carried out and the status is answered, with Retry-After.
"""
import http.server
import json
import os
import socket
import ssl
import sys
import threading


class Answer(Exception):
    """Ends a request with a status and a JSON body."""

    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


def serve(model, certificates=None):
    """model.handle(method, path, headers, body) returns a JSON value or raises Answer; model.state() a JSON value."""
    faults, lock = [], threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def respond(self, status, value, headers=()):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, text in headers:
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def handle_request(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/_state":
                with lock:
                    return self.respond(200, model.state())
            if self.path == "/_faults":
                with lock:
                    faults[:] = json.loads(body)
                return self.respond(200, True)
            with lock:
                fault = faults.pop(0) if faults else ""
                if fault and fault != "lost":
                    status, _, seconds = fault.partition(" ")
                    return self.respond(int(status), {}, [("Retry-After", seconds)] if seconds else [])
                try:
                    status, value = 200, model.handle(self.command, self.path, self.headers, body)
                except Answer as answer:
                    status, value = answer.status, answer.body
            if fault == "lost":
                self.close_connection = True
                return self.connection.shutdown(socket.SHUT_RDWR)
            return self.respond(status, value)

        do_GET = do_POST = do_PUT = do_DELETE = handle_request

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates + "/server.pem", certificates + "/server.key")
        context.load_verify_locations(certificates + "/ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)
