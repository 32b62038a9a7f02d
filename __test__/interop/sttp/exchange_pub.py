#!/usr/bin/env python3
"""Publishes buffer blocks with sttpapi and answers user commands; prints the confirmations that come.

    python exchange_pub.py --port 0 --blocks 5
"""
import argparse
import os
import re
import sys
import threading
import time

from sttp.data.dataset import DataSet
from sttp.publisher import Publisher
from sttp.transport.constants import ServerResponse

import formula as c


def main() -> int:
    ap = argparse.ArgumentParser()
    ap.add_argument("--port", type=int, default=0)
    ap.add_argument("--signals", type=int, default=6)
    ap.add_argument("--blocks", type=int, default=5)
    a = ap.parse_args()
    confirmed, commands, done = [], [], threading.Event()

    def look():
        if len(confirmed) >= a.blocks and len(commands) >= 16:
            done.set()

    def on_status(text):
        found = re.search(r"confirmed buffer block with sequence number (\d+)", text)
        if found:
            confirmed.append(int(found.group(1)))
            look()

    def on_command(connection, command, data):
        number = int(command) - 0xD0
        commands.append((number, bytes(data)))
        pub.send_userresponse(connection, ServerResponse(0xE0 + number), command, b"re:" + bytes(data))
        look()

    pub = Publisher()
    pub.statusmessage_logger = on_status
    pub.errormessage_logger = lambda m: print("pub ERROR:", m[:300], flush=True)
    pub.usercommand_receiver = on_command
    dataset, error = DataSet.from_xml(c.metadata_xml(a.signals))
    if error is not None:
        print("metadata:", error)
        return 2
    pub.define_metadata(dataset)
    pub.start(a.port)
    print(f"pub listening port={c.port_of(pub)}", flush=True)
    deadline = time.time() + 30
    while time.time() < deadline and not [x for x in pub.subscriber_connections if x.is_subscribed]:
        time.sleep(0.02)
    # sttpapi does not wait for the confirmation of a cache.
    time.sleep(0.5)
    for n in range(a.blocks):
        pub.broadcast_buffer_block(c.signal_id(n), c.block_bytes(n), True)
    # Not to be confirmed.
    pub.broadcast_buffer_block(c.signal_id(a.blocks), c.block_bytes(a.blocks), False)
    done.wait(20)
    time.sleep(0.2)
    print(f"confirmed={confirmed} commands={commands}", flush=True)
    pub.stop()
    return 0 if done.is_set() else 1


if __name__ == "__main__":
    rc = main()
    sys.stdout.flush()
    os._exit(rc)
