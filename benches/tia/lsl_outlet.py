"""An outlet of Lab Streaming Layer that is always full: lsl_outlet.py NAME CHANNELS BLOCKSIZE"""
import sys

import numpy
from pylsl import StreamInfo, StreamOutlet

name, channels, blocksize = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
info = StreamInfo(name, 'EEG', channels, 1000 * blocksize, 'float32', name)
# A tenth of a second is kept for the inlet: what it does not pull in time is gone.
outlet = StreamOutlet(info, chunk_size=0, max_buffered=1)
samples = max(blocksize, (64 * 1024) // (4 * channels))
chunk = numpy.full((samples, channels), 1.5, dtype=numpy.float32)
print('READY', flush=True)
while True:
    if outlet.have_consumers():
        outlet.push_chunk(chunk)
    else:
        outlet.wait_for_consumers(1)
