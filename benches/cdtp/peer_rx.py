"""constellationdaq's DataReceiver: peer_rx.py PORT RECORDS BYTES; prints items and seconds as JSON."""

import json
import sys
import time

import zmq
from constellation.core.cdtp import DataReceiver
from constellation.core.chirp import CHIRPServiceIdentifier, get_uuid
from constellation.core.chirpmanager import DiscoveredService
from constellation.core.logging import ConstellationLogger

port, records, size = (int(a) for a in sys.argv[1:4])
state = {"start": 0.0, "items": 0, "bytes": 0, "end": 0.0}


def bor(_sender, _tags, _config):
    state["start"] = time.perf_counter()


def data(_sender, rec):
    state["items"] += 1
    state["bytes"] += len(rec.blocks[0])


def eor(_sender, _tags, _meta):
    state["end"] = time.perf_counter()


ctx = zmq.Context()
dr = DataReceiver(ctx, ConstellationLogger("rx"), bor, data, eor, None)
dr.start_receiving()
dr.add_sender(DiscoveredService(get_uuid("Bench.tx"), CHIRPServiceIdentifier.DATA, "127.0.0.1", port))
while not state["end"]:
    dr.check_exception()
    time.sleep(0.002)
dr.stop_receiving()
assert state["items"] == records and state["bytes"] == records * size, state
print(json.dumps({"items": records, "seconds": state["end"] - state["start"]}), flush=True)
