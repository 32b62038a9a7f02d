#!/usr/bin/env python3
"""Encodes or decodes frames of SIGNALS signals with sttpapi's own codecs.

    sttpapi_codec.py tssc|compact encode|decode SIGNALS FRAMES synchrophasor|constant|random
Prints {"items": measurements, "seconds": s}; decoding checks every value.
"""
import json
import random
import struct
import sys
import time
from uuid import UUID

import numpy as np
from sttp.transport.compactmeasurement import CompactMeasurement
from sttp.transport.constants import StateFlags
from sttp.transport.signalindexcache import SignalIndexCache
from sttp.transport.tssc.decoder import Decoder
from sttp.transport.tssc.encoder import Encoder

codec, direction, signals, frames, shape = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
random.seed(signals)
STEP = [0.001, 10.0, 0.05]
BLOCK = 32768
level = [60.0 if k % 3 == 0 else 132790.0 if k % 3 == 1 else random.gauss(0, 60) for k in range(signals)]


def value(k):
    if shape == "random":
        return struct.unpack(">f", struct.pack(">I", random.getrandbits(32) & 0xFF7FFFFF))[0]
    if shape == "synchrophasor":
        level[k] += random.gauss(0, 1) * STEP[k % 3]
    return level[k]


def tssc_encode(rows):
    encoder, buffer, blocks, count = Encoder(), bytearray(BLOCK), [], 0
    encoder.set_buffer(buffer, np.uint32(0), np.uint32(BLOCK))
    for row in rows:
        if not encoder.try_add_measurement(*row):
            blocks.append(bytes(buffer[: int(encoder.finish_block())]))
            encoder.set_buffer(buffer, np.uint32(0), np.uint32(BLOCK))
            encoder.try_add_measurement(*row)
    blocks.append(bytes(buffer[: int(encoder.finish_block())]))
    return blocks


def tssc_decode(blocks):
    decoder, decoded = Decoder(), []
    for block in blocks:
        decoder.set_buffer(block)
        while True:
            index, ticks, _, value, success, error = decoder.try_get_measurement()
            if error is not None:
                raise SystemExit(f"decoding failed: {error}")
            if not success:
                break
            decoded.append((index, ticks, value))
    return decoded


def compact_encode(rows):
    blocks, block = [], bytearray()
    for index, ticks, flags, value in rows:
        block.extend(CompactMeasurement.encode(index, ticks, StateFlags(int(flags)), value))
        if len(block) + 17 > BLOCK:
            blocks.append(bytes(block))
            block = bytearray()
    blocks.append(bytes(block))
    return blocks


def compact_decode(blocks):
    cache, decoded = SignalIndexCache(), []
    for k in range(signals):
        cache.add_measurement_key(np.int32(k), UUID(int=k + 1), "BENCH", np.uint64(k))
    for block in blocks:
        at = 0
        while at < len(block):
            measurement = CompactMeasurement(cache, True, False, [np.uint64(0), np.uint64(0)])
            taken, error = measurement.decode(block[at : at + 17])
            if error is not None:
                raise SystemExit(f"decoding failed: {error}")
            at += taken
            decoded.append((measurement.signalid.int - 1, measurement.timestamp, measurement.value))
    return decoded


rows = []
for n in range(frames):
    ticks = np.uint64(638396640000000000 + n * 333333)
    if codec == "tssc":
        ticks = np.int64(ticks)
    for k in range(signals):
        rows.append((np.int32(k), ticks, np.uint32(0), np.float32(value(k))))

start = time.perf_counter()
blocks = tssc_encode(rows) if codec == "tssc" else compact_encode(rows)
encoded = time.perf_counter() - start
start = time.perf_counter()
decoded = tssc_decode(blocks) if codec == "tssc" else compact_decode(blocks)
took = time.perf_counter() - start
if len(decoded) != len(rows) or any(
    int(a[0]) != int(b[0]) or int(a[1]) != int(b[1]) or struct.pack(">f", a[2]) != struct.pack(">f", b[3])
    for a, b in zip(decoded, rows)
):
    raise SystemExit(f"of {len(rows)} measurements {len(decoded)} were decoded, or not as they were encoded")
print(json.dumps({"items": len(rows), "seconds": encoded if direction == "encode" else took}))
