#!/usr/bin/env python3
"""constellationdaq's own controller drives whatever is in a group through one run: control.py GROUP NAME..."""

import sys
import time

from constellation.core.controller import ScriptableController
from constellation.core.network import get_loopback_interface_name
from constellation.core.protocol.cscp1 import SatelliteState

group, names = sys.argv[1], sys.argv[2:]
ctrl = ScriptableController(group, interface=[get_loopback_interface_name()])
ctrl.await_satellites(names, timeout=30)
print("known:", sorted(ctrl.constellation.satellites), flush=True)
transmitters = [n for n in names if n.startswith("SatTx")]
receivers = [n for n in names if n not in transmitters]


def all_of(some, command, payload, target):
    for name in some:
        sat_type, sat_name = name.split(".")
        answer = ctrl.command(cmd=command, payload=payload, sat_type=sat_type, sat_name=sat_name)
        print(name, command, answer.msg, flush=True)
    end = time.monotonic() + 20
    while any(ctrl.states.get(n) != target for n in some):
        assert time.monotonic() < end, ctrl.states
        time.sleep(0.05)


config = {"records": 100, "maxlen": 3000, "_autonomy": {"max_heartbeat_interval": 2}}
all_of(names, "initialize", config, SatelliteState.INIT)
all_of(names, "launch", None, SatelliteState.ORBIT)
all_of(receivers, "start", "run_1", SatelliteState.RUN)
all_of(transmitters, "start", "run_1", SatelliteState.RUN)
time.sleep(1)
all_of(transmitters, "stop", None, SatelliteState.ORBIT)
all_of(receivers, "stop", None, SatelliteState.ORBIT)
for name in receivers:
    answer = ctrl.command(cmd="verdict", payload=None, sat_type=name.split(".")[0], sat_name=name.split(".")[1])
    print("verdict", answer.msg, flush=True)
all_of(names, "land", None, SatelliteState.INIT)
print("control: OK", flush=True)
ctrl.terminate()
