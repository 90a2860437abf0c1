#!/usr/bin/env python3
"""Times pyzk's get_attendance: prints wall seconds and the number of records.

usage: pyzk_attendance.py HOST PORT [KEY]
Needs pyzk 0.9 (pip install pyzk==0.9). Connecting is not counted; reading counters and users is, since get_attendance
does both.
"""
import sys
import time

from zk import ZK


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    key = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    connection = ZK(host, port=port, timeout=300, password=key, ommit_ping=True).connect()
    try:
        start = time.monotonic()
        records = connection.get_attendance()
        print(f"{time.monotonic() - start:.3f} {len(records)}")
    finally:
        connection.disconnect()


if __name__ == "__main__":
    main()
