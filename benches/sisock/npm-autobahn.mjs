// The same with npm autobahn alone: its connection, one of its serializers (msgpack, cbor or json).
import autobahn from 'autobahn'
import { WebSocket } from 'ws'

const [role, url, name, count, calls, inFlight, form = 'msgpack'] = process.argv.slice(2)
const n = Number(count)
globalThis.WebSocket = WebSocket
autobahn.log.warn = () => {}
const [user, secret] = role === 'node' ? ['server', 'loopback-test-secret'] : ['simonsobs', 'loopback-consumer-secret']
const { MsgpackSerializer, CBORSerializer, JSONSerializer } = autobahn.serializer
const Serializer = { msgpack: MsgpackSerializer, cbor: CBORSerializer, json: JSONSerializer }[form]
const connection = new autobahn.Connection({
  url,
  realm: 'test_realm',
  authmethods: ['wampcra'],
  authid: user,
  onchallenge: (_, __, extra) => autobahn.auth_cra.sign(secret, extra.challenge),
  serializers: [new Serializer()],
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
  let left = 0
  const check = Math.floor(n / 2)
  const ask = async () => {
    while (left-- > 0) {
      const { data, timeline } = await session.call(uri, [['x'], 1, 0])
      if (data.x.length !== n || data.x[check] !== Math.sin(check) || timeline.t.t[check] !== 1.7e9 + check / 10)
        process.exit(1)
    }
  }
  const run = async (times) => {
    left = times
    await Promise.all(Array.from({ length: Number(inFlight) }, ask))
  }
  await run(Math.ceil(Number(calls) / 10))
  const start = performance.now()
  await run(Number(calls))
  console.log(JSON.stringify({ items: Number(calls), seconds: (performance.now() - start) / 1000 }))
  process.exit(0)
}
connection.open()
