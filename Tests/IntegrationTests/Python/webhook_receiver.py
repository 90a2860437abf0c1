"""A receiver of webhooks that verifies signatures as Standard Webhooks describes, with Python's own hmac.

usage: webhook_receiver.py SECRET [CERTIFICATES]   (with CERTIFICATES it speaks TLS and asks for the client's)
"""
import base64
import hashlib
import hmac
import json
import sys

import http_model


class Receiver:
    def __init__(self, secret):
        self.key = base64.b64decode(secret.removeprefix("whsec_"))
        self.requests, self.punches = [], {}

    def handle(self, method, path, headers, body):
        stamped = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(self.key, stamped, hashlib.sha256).digest()).decode()
        if expected not in headers.get("webhook-signature", "").split(" "):
            raise http_model.Answer(401, {"error": "bad signature"})
        data = json.loads(body)["data"]
        self.requests.append([method, path, headers["webhook-id"], len(data)])
        results = []
        for punch in data:
            if punch["code"] == "gone":
                results.append({"id": punch["id"], "status": "rejected", "reason": "left the company"})
            else:
                self.punches[punch["id"]] = [punch["device"], punch["code"], punch["time"]]
                results.append({"id": punch["id"], "status": "accepted"})
        return {"results": results}

    def state(self):
        return {"requests": self.requests, "punches": list(self.punches.values())}


if __name__ == "__main__":
    http_model.serve(Receiver(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
