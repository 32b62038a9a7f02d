#!/usr/bin/env python3
"""Subscribes with sttpapi under the settings given and prints every measurement as `k value ticks flags`.

    python settings_sub.py --port 17175 --mode compact --expect 12 throttled=True publishinterval=0.2
"""
import argparse
import ast
import os
import sys
import threading

from sttp.config import Config
from sttp.settings import Settings
from sttp.subscriber import Subscriber

import formula as c


def main() -> int:
    ap = argparse.ArgumentParser()
    ap.add_argument("--port", type=int, required=True)
    ap.add_argument("--mode", choices=["compact", "tssc"], default="compact")
    ap.add_argument("--expect", type=int, required=True)
    ap.add_argument("settings", nargs="*")
    a = ap.parse_args()
    done, errors, lines = threading.Event(), [], []

    def on_new(measurements):
        for m in measurements:
            lines.append(f"{c.k_of(m.signalid)} {float(m.value)} {int(m.timestamp)} {int(m.flags)}")
        if len(lines) >= a.expect:
            done.set()

    sub = Subscriber()
    sub.statusmessage_logger = lambda m: None
    sub.errormessage_logger = errors.append
    sub.newmeasurements_receiver = on_new
    named = {name: ast.literal_eval(value) for name, value in (setting.split("=") for setting in a.settings)}
    sub.subscribe("FILTER ActiveMeasurements WHERE True ORDER BY SignalID", Settings(**named))
    error = sub.connect(f"127.0.0.1:{a.port}", Config(maxretries=3, autoreconnect=False, compress_payloaddata=a.mode == "tssc"))
    if error is not None or not done.wait(20):
        print("nothing came:", error, errors, lines)
        return 3
    print("\n".join(lines[: a.expect]), flush=True)
    print(f"end errors={errors}", flush=True)
    return 0


if __name__ == "__main__":
    rc = main()
    sys.stdout.flush()
    os._exit(rc)
