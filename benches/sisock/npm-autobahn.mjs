// The same with npm autobahn alone: its connection, one of its serializers (msgpack, cbor or json).
import autobahn from 'autobahn'
import { WebSocket } from 'ws'
import { isReply, time } from './rounds.mjs'

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
  await time(Number(calls), Number(inFlight), async () => {
    if (!isReply(await session.call(uri, [['x'], 1, 0]), n)) process.exit(1)
  })
}
connection.open()
