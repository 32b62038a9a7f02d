"""The subscriber program of sttpapi's page, with the publisher's address as its argument; ends behind its first measurement.

Usage: seed_sub.py HOST:PORT
"""
import sys
from threading import Event, Thread

from sttp.subscriber import Subscriber

seen = Event()


def main():
    subscriber = Subscriber()
    try:
        # Start new data read at each connection
        subscriber.connectionestablished_receiver = (
            lambda: Thread(target=read_data, args=(subscriber,)).start())

        subscriber.subscribe("FILTER TOP 20 ActiveMeasurements WHERE True")
        subscriber.connect(sys.argv[1])

        print("seen" if seen.wait(30) else "nothing came", flush=True)
    finally:
        subscriber.dispose()


def read_data(subscriber: Subscriber):
    subscriber.default_connectionestablished_receiver()
    reader = subscriber.read_measurements()

    while subscriber.connected:
        measurement, success = reader.next_measurement()

        if not success:
            break

        subscriber.statusmessage(
            f"{subscriber.total_measurementsreceived:,} measurements received so far. Current measurement:\n    {measurement}")
        seen.set()
        break


if __name__ == "__main__":
    main()
