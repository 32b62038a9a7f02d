#!/usr/bin/env python3
"""Encodes or decodes TSSC with sttpapi's own codec: synchrophasor-like frames of SIGNALS signals.

    sttpapi_codec.py encode|decode SIGNALS FRAMES
Prints {"items": measurements, "seconds": s}; decoding checks every value.
"""
import json
import random
import struct
import sys
import time

import numpy as np
from sttp.transport.tssc.decoder import Decoder
from sttp.transport.tssc.encoder import Encoder

direction, signals, frames = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(signals)
STEP = [0.001, 10.0, 0.05]
level = [60.0 if k % 3 == 0 else 132790.0 if k % 3 == 1 else random.gauss(0, 60) for k in range(signals)]
rows = []
for n in range(frames):
    ticks = np.int64(638396640000000000 + n * 333333)
    for k in range(signals):
        level[k] += random.gauss(0, 1) * STEP[k % 3]
        rows.append((np.int32(k), ticks, np.uint32(0), np.float32(level[k])))

encoder = Encoder()
blocks = []
buffer = bytearray(32768)
start = time.perf_counter()
encoder.set_buffer(buffer, np.uint32(0), np.uint32(32768))
count = 0
for row in rows:
    if not encoder.try_add_measurement(*row):
        length = int(encoder.finish_block())
        blocks.append((bytes(buffer[:length]), count))
        encoder.set_buffer(buffer, np.uint32(0), np.uint32(32768))
        count = 0
        encoder.try_add_measurement(*row)
    count += 1
length = int(encoder.finish_block())
blocks.append((bytes(buffer[:length]), count))
encoded = time.perf_counter() - start

decoder = Decoder()
decoded = []
start = time.perf_counter()
for block, count in blocks:
    decoder.set_buffer(block)
    while True:
        index, ticks, flags, value, success, error = decoder.try_get_measurement()
        if error is not None:
            raise SystemExit(f"decoding failed: {error}")
        if not success:
            break
        decoded.append((index, ticks, value))
took = time.perf_counter() - start
if len(decoded) != len(rows) or any(
    int(a[0]) != int(b[0]) or int(a[1]) != int(b[1]) or struct.pack(">f", a[2]) != struct.pack(">f", b[3]) for a, b in zip(decoded, rows)
):
    raise SystemExit(f"of {len(rows)} measurements {len(decoded)} were decoded, or not as they were encoded")
print(json.dumps({"items": len(rows), "seconds": encoded if direction == "encode" else took}))
