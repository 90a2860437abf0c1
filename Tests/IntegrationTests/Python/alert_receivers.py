"""The far ends of alert channels over HTTP: a webhook that verifies signatures as Standard Webhooks describes, a chat
that takes what Slack and Teams take, an SMS provider in the shape of Twilio, a bot API in the shape of Telegram, and a
dead-man's switch.

usage: alert_receivers.py SECRET
"""
import base64
import hashlib
import hmac
import json
import sys
import urllib.parse

import http_model


class Receivers:
    def __init__(self, secret):
        self.key = base64.b64decode(secret.removeprefix("whsec_"))
        self.hooks, self.chats, self.sms, self.bot, self.pings = [], [], [], [], 0

    def handle(self, method, path, headers, body):
        if path == "/ping":
            self.pings += 1
            return "OK"
        if path == "/hook":
            return self.hook(headers, body)
        if path in ("/slack", "/teams"):
            self.chats.append([path, json.loads(body)])
            return "ok"
        if path == "/2010-04-01/Accounts/AC1/Messages.json":
            return self.message(headers, body)
        if path == "/bot12:tok/sendMessage":
            self.bot.append(json.loads(body))
            return {"ok": True, "result": {"message_id": 100 + len(self.bot)}}
        raise http_model.Answer(404, {"error": path})

    def hook(self, headers, body):
        stamped = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(self.key, stamped, hashlib.sha256).digest()).decode()
        if expected not in headers.get("webhook-signature", "").split(" "):
            raise http_model.Answer(401, {"error": "bad signature"})
        self.hooks.append(json.loads(body))
        return {}

    def message(self, headers, body):
        wanted = "Basic " + base64.b64encode(b"AC1:sms-token").decode()
        if headers.get("Authorization") != wanted:
            raise http_model.Answer(401, {"message": "Authenticate"})
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        if form["To"].endswith("00"):
            raise http_model.Answer(400, {"code": 21211, "message": "not a valid number"})
        self.sms.append(form)
        return {"sid": "SM1", "status": "queued"}

    def state(self):
        return {"hooks": self.hooks, "chats": self.chats, "sms": self.sms, "bot": self.bot, "pings": self.pings}


if __name__ == "__main__":
    http_model.serve(Receivers(sys.argv[1]))
