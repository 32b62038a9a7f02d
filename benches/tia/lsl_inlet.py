"""An inlet of Lab Streaming Layer pulls for so many seconds: lsl_inlet.py NAME CHANNELS BLOCKSIZE SECONDS"""
import json
import sys
import time

import numpy
from pylsl import StreamInlet, resolve_byprop

name, channels, blocksize, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
found = resolve_byprop('name', name, 1, 15)
if not found:
    sys.exit('no stream')
inlet = StreamInlet(found[0])
most = max(blocksize, (256 * 1024) // (4 * channels))
place = numpy.zeros((most, channels), dtype=numpy.float32)


def pull():
    _, times = inlet.pull_chunk(timeout=1.0, max_samples=most, dest_obj=place)
    return len(times)


while pull() == 0:
    pass
start, samples = time.perf_counter(), 0
while time.perf_counter() - start < seconds:
    samples += pull()
took = time.perf_counter() - start
if place[0][channels - 1] != 1.5:
    sys.exit('wrong samples')
print(json.dumps({'items': samples / blocksize, 'seconds': took}), flush=True)
