"""Behaves as Frappe HR does towards a sender of check-ins: tokens, Employee lookups, the duplicate rule on employee, time
and log type, errors as 417 with translated sentences, and the permission level of `time`.

usage: frappe_server.py [--no-time-permission]
"""
import json
import sys
import urllib.parse

import http_model

METHOD = "/api/method/hrms.hr.doctype.employee_checkin.employee_checkin.add_log_based_on_employee_field"


def refusal(exc_type, sentence):
    message = json.dumps({"message": f"<b>{sentence}</b>", "indicator": "red"})
    return http_model.Answer(417, {
        "exc_type": exc_type, "exc": json.dumps(["Traceback …"]), "_server_messages": json.dumps([message])})


class Site:
    def __init__(self, has_time_permission):
        self.has_time_permission = has_time_permission
        self.employees = [
            {"name": "HR-EMP-1", "attendance_device_id": "7", "status": "Active"},
            {"name": "HR-EMP-2", "attendance_device_id": "8", "status": "Active"},
            {"name": "HR-EMP-3", "attendance_device_id": "left", "status": "Inactive"},
            {"name": "HR-EMP-4", "attendance_device_id": "strict", "status": "Active"},
            {"name": "HR-EMP-5", "attendance_device_id": "far", "status": "Active"},
        ]
        self.checkins, self.number = [], 0

    def handle(self, method, path, headers, body):
        if headers.get("Authorization") != "token key:secret":
            raise http_model.Answer(401, {"exc_type": "AuthenticationError"})
        url = urllib.parse.urlsplit(path)
        resource = urllib.parse.unquote(url.path)
        if resource == "/api/method/frappe.auth.get_logged_user":
            return {"message": "muster@example.com"}
        if resource == METHOD and method == "POST":
            return {"message": self.add(json.loads(body))}
        if resource == "/api/resource/Employee" and method == "GET":
            return {"data": self.select(self.employees, url.query)}
        if resource == "/api/resource/Employee Checkin" and method == "GET":
            return {"data": self.select(self.checkins, url.query)}
        if resource.startswith("/api/resource/Employee Checkin/") and method == "DELETE":
            name = resource.rsplit("/", 1)[1]
            self.checkins = [checkin for checkin in self.checkins if checkin["name"] != name]
            return {"message": "ok"}
        raise http_model.Answer(404, {"exc_type": "DoesNotExistError"})

    @staticmethod
    def select(rows, query):
        query = urllib.parse.parse_qs(query)
        filters, fields = json.loads(query["filters"][0]), json.loads(query["fields"][0])
        found = [row for row in rows if all(operator == "=" and row.get(field) == value
                                            for field, operator, value in filters)]
        return [{field: row.get(field) for field in fields} for row in found][:int(query["limit_page_length"][0])]

    def add(self, arguments):
        field = arguments.get("employee_fieldname", "attendance_device_id")
        found = [one for one in self.employees if one.get(field) == arguments["employee_field_value"]]
        if not found:
            raise refusal("ValidationError", "Không tìm thấy nhân viên cho giá trị trường đã cho")
        employee = found[0]
        if employee["status"] == "Inactive":
            raise refusal("InactiveEmployeeStatusError", "Giao dịch không thể được tạo cho nhân viên không hoạt động")
        log_type = arguments.get("log_type")
        if employee["attendance_device_id"] == "strict" and not log_type:
            raise refusal("ValidationError", "Loại nhật ký là bắt buộc")
        if employee["attendance_device_id"] == "far" and arguments.get("latitude") is None:
            raise refusal("CheckinRadiusExceededError", "Phải ở trong bán kính")
        for one in self.checkins:
            if (one["employee"], one["time"], one["log_type"]) == (employee["name"], arguments["timestamp"], log_type):
                raise refusal("ValidationError", "Nhân viên này đã có nhật ký với cùng dấu thời gian")
        self.number += 1
        document = {
            "name": f"EMP-CKIN-11-2026-{self.number:06}", "employee": employee["name"],
            "time": arguments["timestamp"] if self.has_time_permission else "2026-11-24 09:00:00.123456",
            "log_type": log_type, "device_id": arguments.get("device_id"),
            "skip_auto_attendance": arguments.get("skip_auto_attendance", 0)}
        self.checkins.append(document)
        return document

    def state(self):
        return {"checkins": self.checkins}


if __name__ == "__main__":
    http_model.serve(Site("--no-time-permission" not in sys.argv))
