"""pytia's server, asked for more packets than it can make: pytia_server.py CHANNELS BLOCKSIZE"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../../__test__/interop/tia'))
import pytia  # noqa: E402
import tia_shim  # noqa: E402

channels, blocksize = (int(text) for text in sys.argv[1:3])
tia_shim.install()
samples = [1.5] * (channels * blocksize)
server = pytia.TiAServer(('127.0.0.1', 0), pytia.TiAConnectionHandler)
server.start([pytia.TiASignalConfig(channels, 1_000_000, blocksize, lambda _: samples, 0, True, pytia.TIA_SIG_EEG)])
print('PORT', server.server_address[1], flush=True)
while True:
    time.sleep(1)
