"""constellationdaq's DataTransmitter: peer_tx.py RECORDS BYTES; prints its port, then waits for a receiver."""

import sys
import time

import zmq
from constellation.core.cdtp import DataTransmitter
from constellation.core.logging import ConstellationLogger

records, size = int(sys.argv[1]), int(sys.argv[2])
ctx = zmq.Context()
sock = ctx.socket(zmq.PUSH)
sock.setsockopt(zmq.LINGER, 10000)
port = sock.bind_to_random_port("tcp://127.0.0.1")
print("port", port, flush=True)
dt = DataTransmitter("Bench.tx", sock, ConstellationLogger("tx"), print)
block = bytes([7]) * size
dt.send_bor({}, {})
dt.start_sending()
for _ in range(records):
    rec = dt.new_data_record()
    rec.add_block(block)
    while not dt.can_send_record():
        time.sleep(0.0005)
    dt.send_data_record(rec)
dt.stop_sending()
dt.check_exception()
dt.send_eor({}, {"condition_code": 0, "condition": "GOOD", "data_records": dt.sequence_number})
sock.close()
ctx.term()
