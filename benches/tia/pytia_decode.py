"""pytia's client decodes packets from memory: pytia_decode.py CHANNELS BLOCKSIZE PACKETS"""
import json
import struct
import sys
import time

import pytia

CHUNK = 1 << 16
channels, blocksize, packets = (int(text) for text in sys.argv[1:4])
size = 37 + 4 * channels * blocksize
samples = struct.pack('<%df' % (channels * blocksize), *([1.5] * channels * blocksize))
stream = b''.join(
    struct.pack('<BIIQQQHH', 3, size, 1, n, n, n, channels, blocksize) + samples
    for n in range(max(2, CHUNK // size)))


class Memory:
    """What the data socket would be: it always has as much as is asked for."""

    def __init__(self):
        self.at = 0

    def recv(self, wanted):
        got = stream[self.at:self.at + wanted]
        self.at = (self.at + len(got)) % len(stream)
        while len(got) < wanted and len(got) < CHUNK:
            more = stream[self.at:self.at + wanted - len(got)]
            self.at = (self.at + len(more)) % len(stream)
            got += more
        return got


client = pytia.TiAClient('', 0)
client.bufsize = CHUNK
client.data_socket = Memory()
seen = 0
start = time.perf_counter()
while seen < packets:
    got = client.get_data()
    seen += len(got)
    if got[-1].signals[0][0] != 1.5:
        sys.exit('wrong samples')
print(json.dumps({'items': seen, 'seconds': time.perf_counter() - start}))
