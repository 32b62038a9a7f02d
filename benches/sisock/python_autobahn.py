"""The same with autobahn-python (asyncio), MessagePack."""
import asyncio, json, math, sys, time
from autobahn.asyncio.component import Component, run as autobahn_run

role, url, name, count, calls, in_flight = (sys.argv[1:] + ["0", "1"])[:6]
n, calls, in_flight = int(count), int(calls), int(in_flight)
user, secret = ("server", "loopback-test-secret") if role == "node" else ("simonsobs", "loopback-consumer-secret")
comp = Component(transports=[{"type": "websocket", "url": url, "serializers": ["msgpack"]}], realm="test_realm",
    authentication={"wampcra": {"authid": user, "secret": secret}})
uri = "org.simonsobservatory.consumer." + name + ".get_data"


@comp.on_join
async def joined(session, details):
    if role == "node":
        reply = {"data": {"x": [math.sin(k) for k in range(n)]}, "timeline": {"t": {"t": [1.7e9 + k / 10 for k in range(n)], "finalized_until": None}}}
        await session.register(lambda *_, **__: reply, uri)
        print("ready", flush=True)
        return
    left = [0]
    check = n // 2

    async def ask():
        while left[0] > 0:
            left[0] -= 1
            d = await session.call(uri, ["x"], 1, 0)
            assert len(d["data"]["x"]) == n and abs(d["data"]["x"][check] - math.sin(check)) < 1e-12

    async def run(times):
        left[0] = times
        await asyncio.gather(*[ask() for _ in range(in_flight)])
    await run(-(-calls // 10))
    start = time.perf_counter()
    await run(calls)
    print(json.dumps({"items": calls, "seconds": time.perf_counter() - start}), flush=True)
    await session.leave()

autobahn_run([comp], log_level="error")
