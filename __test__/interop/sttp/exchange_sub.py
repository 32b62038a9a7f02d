#!/usr/bin/env python3
"""Subscribes with sttpapi and prints what comes beside measurements: buffer blocks, user responses and notifications.

    python exchange_sub.py --port 17175 --mode tssc --blocks 5
Sends the sixteen user commands when it is subscribed; ends when all blocks, sixteen responses and a text have come.
"""
import argparse
import os
import sys
import threading

from sttp.config import Config
from sttp.subscriber import Subscriber
from sttp.transport.constants import ServerCommand

import formula as c


def main() -> int:
    ap = argparse.ArgumentParser()
    ap.add_argument("--port", type=int, required=True)
    ap.add_argument("--mode", choices=["compact", "tssc"], default="tssc")
    ap.add_argument("--blocks", type=int, default=5)
    a = ap.parse_args()
    blocks, responses, texts, wrong = [], [], [], []
    subscribed, done = threading.Event(), threading.Event()

    def look():
        if len(blocks) >= a.blocks and len(responses) >= 16 and texts:
            done.set()

    def on_blocks(came):
        for block in came:
            n = len(blocks)
            if bytes(block.buffer) != c.block_bytes(n) or block.signalid != c.signal_id(n):
                wrong.append(f"block {n}: {len(block.buffer)} bytes of {block.signalid}")
            blocks.append(block)
        look()

    def on_response(response, command, data):
        number = int(response) - 0xE0
        if bytes(data) != b"re:command %02d" % number or int(command) != 0xD0 + number:
            wrong.append(f"response {number} to {int(command):#x}: {bytes(data)!r}")
        responses.append(number)
        look()

    def on_text(text):
        texts.append(text)
        look()

    sub = Subscriber()
    sub.statusmessage_logger = lambda m: None
    sub.errormessage_logger = lambda m: wrong.append(m)
    sub.newbufferblock_receiver = on_blocks
    sub.userresponse_receiver = on_response
    sub.notification_receiver = on_text
    sub.subscriptionupdated_receiver = lambda cache: subscribed.set()
    sub.subscribe("FILTER ActiveMeasurements WHERE True ORDER BY SignalID")
    error = sub.connect(f"127.0.0.1:{a.port}", Config(maxretries=3, autoreconnect=False, compress_payloaddata=a.mode == "tssc"))
    if error is not None or not subscribed.wait(20):
        print("no subscription:", error, wrong)
        return 3
    print("subscribed", flush=True)
    for number in range(16):
        sub.send_usercommand(ServerCommand(0xD0 + number), b"command %02d" % number)
    done.wait(20)
    print(f"blocks={len(blocks)} responses={sorted(responses)} texts={texts} wrong={wrong}", flush=True)
    return 0 if done.is_set() and not wrong else 1


if __name__ == "__main__":
    rc = main()
    sys.stdout.flush()
    os._exit(rc)
