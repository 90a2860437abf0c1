"""Writes punches from a CSV file into a table through Django's ORM, as a web application does; prints seconds and rows.

usage: django_rows.py exists|bulk HOST PORT TABLE CSV ROWS
  exists: filter().exists() and create() for each punch, in autocommit; bulk: bulk_create(ignore_conflicts) by 1,000.
"""
import csv
import datetime
import json
import sys
import time

import django
from django.conf import settings

MODE, HOST, PORT, TABLE, PATH, ROWS = sys.argv[1:7]
settings.configure(USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "HOST": HOST, "PORT": PORT, "NAME": "postgres", "USER": "postgres"}})
django.setup()

from django.db import models  # noqa: E402


class AttendanceRecord(models.Model):
    device = models.TextField()
    attendance_code = models.TextField()
    timestamp = models.DateTimeField()
    local_time = models.DateTimeField()
    direction = models.TextField()
    direction_raw = models.BigIntegerField()
    verification = models.TextField()
    verification_raw = models.BigIntegerField()
    work_code = models.TextField(null=True)
    source = models.TextField()
    received_at = models.DateTimeField()
    is_valid = models.BooleanField()
    notes = models.TextField()
    raw_data = models.JSONField()

    class Meta:
        app_label, managed, db_table = "bench", False, TABLE


def values(row):
    moment = datetime.datetime.fromisoformat
    return {**row, "timestamp": moment(row["timestamp"]),
            "local_time": moment(row["local_time"]).replace(tzinfo=datetime.timezone.utc),
            "received_at": moment(row["received_at"]),
            "direction_raw": int(row["direction_raw"]), "verification_raw": int(row["verification_raw"]),
            "work_code": row["work_code"] or None, "is_valid": row["is_valid"] == "t",
            "raw_data": json.loads(row["raw_data"])}


with open(PATH, encoding="utf-8", newline="") as file:
    rows = [values(row) for _, row in zip(range(int(ROWS)), csv.DictReader(file))]
start = time.monotonic()
if MODE == "exists":
    for row in rows:
        key = {name: row[name] for name in ("device", "attendance_code", "timestamp")}
        if not AttendanceRecord.objects.filter(**key).exists():
            AttendanceRecord.objects.create(**row)
else:
    AttendanceRecord.objects.bulk_create((AttendanceRecord(**row) for row in rows), batch_size=1000,
                                         ignore_conflicts=True)
print(time.monotonic() - start, AttendanceRecord.objects.count())
