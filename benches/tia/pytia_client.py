"""pytia's client takes packets from a server: pytia_client.py PORT PACKETS"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../../__test__/interop/tia'))
import pytia  # noqa: E402
import tia_shim  # noqa: E402

port, packets = (int(text) for text in sys.argv[1:3])
tia_shim.install()
client = pytia.TiAClient('127.0.0.1', port)
if not client.connect() or not client.cmd_check_protocol_version():
    sys.exit('no server')
status, data_port = client.cmd_get_data_connection_tcp()
if not status or not client.start_streaming_data_tcp('127.0.0.1', data_port):
    sys.exit('no data')
client.bufsize = 1 << 16
client.data_socket = tia_shim.ExactSocket(client.data_socket, client.bufsize)
seen, start = 0, None
while seen < packets:
    for packet in client.get_data():
        start = start or time.perf_counter()
        if packet.packet_id != seen:
            sys.exit('packet %d instead of %d' % (packet.packet_id, seen))
        seen += 1
print(json.dumps({'items': seen - 1, 'seconds': time.perf_counter() - start}), flush=True)
os._exit(0)
