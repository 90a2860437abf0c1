"""Behaves as Odoo does towards a sender of attendances, over JSON-2 and over JSON-RPC: keys, employees by badge, and the
rules of hr.attendance: no check-out before its check-in, no overlap, one open attendance for each employee.
"""
import datetime
import json

import http_model

VALIDATION = "odoo.exceptions.ValidationError"


class Refused(Exception):
    def __init__(self, name, message):
        super().__init__(message)
        self.name = name


class Odoo:
    def __init__(self):
        self.employees = [{"id": 11, "barcode": "7"}, {"id": 12, "barcode": "8"}]
        # Made by somebody else, by hand.
        self.attendances = {1: {"id": 1, "employee_id": 12, "check_in": "2026-01-05 06:00:00",
                                "check_out": "2026-01-05 07:00:00"}}
        self.number, self.calls = 100, []

    def handle(self, method, path, headers, body):
        arguments = json.loads(body)
        if path == "/jsonrpc":
            return self.remote(arguments["params"])
        if headers.get("Authorization") != "bearer key":
            raise http_model.Answer(401, {"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey"})
        _, _, _, model, name = path.split("/")
        try:
            return self.call(model, name, arguments.pop("ids", []), arguments)
        except Refused as problem:
            status = 404 if "Missing" in problem.name else 422
            raise http_model.Answer(status, {"name": problem.name, "message": str(problem)}) from problem

    def remote(self, params):
        try:
            if params["service"] == "common":
                known = params["args"][:3] == ["company", "hr@example.com", "key"]
                return {"jsonrpc": "2.0", "id": 1, "result": 2 if known else False}
            _, user, key, model, name, positional, named = params["args"]
            if (user, key) != (2, "key"):
                raise Refused("odoo.exceptions.AccessDenied", "Access Denied")
            ids = positional.pop(0) if name in ("write", "unlink") else []
            keys = {"create": ["vals_list"], "write": ["vals"]}.get(name, [])
            return {"jsonrpc": "2.0", "id": 1,
                    "result": self.call(model, name, ids, {**named, **dict(zip(keys, positional))})}
        except Refused as problem:
            return {"jsonrpc": "2.0", "id": 1, "error": {
                "code": 200, "message": "Odoo Server Error", "data": {"name": problem.name, "message": str(problem)}}}

    def call(self, model, name, ids, arguments):
        self.calls.append(f"{model}/{name}")
        if name == "search_read":
            rows = self.employees if model == "hr.employee" else list(self.attendances.values())
            found = [row for row in rows
                     if all(operator == "=" and row.get(field) == value
                            for field, operator, value in arguments["domain"])]
            return [{field: row[field] for field in arguments["fields"]} for row in found][:arguments["limit"]]
        if name == "create":
            return [self.create(values) for values in arguments["vals_list"]]
        missing = [one for one in ids if one not in self.attendances]
        if missing:
            raise Refused("odoo.exceptions.MissingError", f"Bản ghi {missing} không tồn tại")
        for one in ids:
            if name == "write":
                changed = {**self.attendances[one], **arguments["vals"]}
                self.check(changed)
                self.attendances[one] = changed
            elif name == "unlink":
                del self.attendances[one]
        return True

    def create(self, values):
        attendance = {"id": self.number + 1, "check_out": False, **values}
        self.check(attendance)
        self.number += 1
        self.attendances[self.number] = attendance
        return self.number

    def check(self, new):
        moment = datetime.datetime.fromisoformat
        begin, end = moment(new["check_in"]), new["check_out"] and moment(new["check_out"])
        if end and end < begin:
            raise Refused(VALIDATION, "Giờ ra không thể sớm hơn giờ vào")
        for one in self.attendances.values():
            if one["employee_id"] != new["employee_id"] or one["id"] == new["id"]:
                continue
            other, other_end = moment(one["check_in"]), one["check_out"] and moment(one["check_out"])
            if not end and not other_end:
                raise Refused(VALIDATION, "Không thể tạo: nhân viên chưa chấm ra")
            if begin == other or (other <= begin and (not other_end or begin < other_end)) \
                    or (begin < other and (not end or end > other)):
                raise Refused(VALIDATION, "Không thể tạo: trùng với một lần chấm công khác")

    def state(self):
        return {"attendances": sorted(self.attendances.values(), key=lambda one: (one["employee_id"], one["check_in"])),
                "calls": self.calls}


if __name__ == "__main__":
    http_model.serve(Odoo())
