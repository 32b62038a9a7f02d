// The same with npm autobahn alone: its connection, its serializer for MessagePack.
import autobahn from 'autobahn'
import { WebSocket } from 'ws'

const [role, url, name, count, calls, inFlight] = process.argv.slice(2)
const n = Number(count)
globalThis.WebSocket = WebSocket
autobahn.log.warn = () => {}
const [user, secret] = role === 'node' ? ['server', 'loopback-test-secret'] : ['simonsobs', 'loopback-consumer-secret']
const connection = new autobahn.Connection({
  url,
  realm: 'test_realm',
  authmethods: ['wampcra'],
  authid: user,
  onchallenge: (_, __, extra) => autobahn.auth_cra.sign(secret, extra.challenge),
  serializers: [new autobahn.serializer.MsgpackSerializer()],
})
const uri = `org.simonsobservatory.consumer.${name}.get_data`
connection.onopen = async (session) => {
  if (role === 'node') {
    const t = Array.from({ length: n }, (_, k) => 1.7e9 + k / 10)
    const x = Array.from({ length: n }, (_, k) => Math.sin(k))
    await session.register(uri, () => ({ data: { x }, timeline: { t: { t, finalized_until: null } } }))
    console.log('ready')
    return
  }
  let left = Number(calls)
  const check = Math.floor(n / 2)
  const ask = async () => {
    while (left-- > 0) {
      const { data, timeline } = await session.call(uri, [['x'], 1, 0])
      if (data.x.length !== n || data.x[check] !== Math.sin(check) || timeline.t.t[check] !== 1.7e9 + check / 10)
        process.exit(1)
    }
  }
  await session.call(uri, [['x'], 1, 0])
  const start = performance.now()
  await Promise.all(Array.from({ length: Number(inFlight) }, ask))
  console.log(JSON.stringify({ items: Number(calls), seconds: (performance.now() - start) / 1000 }))
  process.exit(0)
}
connection.open()
