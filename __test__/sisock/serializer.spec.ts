import { createRequire } from 'node:module'
import test from 'ava'
import fc from 'fast-check'
import { Framing, serializer } from '../../ts/sisock/serializer.js'

const names = ['json', 'msgpack', 'cbor'] as const
const { serializer: autobahn } = createRequire(import.meta.url)('autobahn') as {
  serializer: Record<string, new () => { serialize(value: unknown): unknown; unserialize(bytes: unknown): unknown }>
}
const OTHERS = { json: 'JSONSerializer', msgpack: 'MsgpackSerializer', cbor: 'CBORSerializer' } as const

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string(), tie('value'), { noNullPrototype: true }),
  ),
})).value

for (const name of names) {
  const own = serializer(name, { columns: false })

  test(`${name}: what is written is read`, (t) => {
    fc.assert(
      fc.property(fc.array(plain), (message) => void t.deepEqual(own.unserialize(own.serialize(message)), message)),
    )
  })

  test(`${name}: npm autobahn's own serializer reads what ours writes, and the other way round`, async (t) => {
    const other = new (autobahn[OTHERS[name]] as NonNullable<(typeof autobahn)[string]>)()
    const message = [
      48,
      7,
      { a: true },
      'org.example',
      [[1, -1, 1.5, 1e300, null], 'é', { x: [{}] }, 2 ** 40],
      { k: 'v' },
    ]
    const bytes = own.serialize(message)
    t.deepEqual(other.unserialize(name === 'json' ? bytes.toString() : bytes), message)
    t.deepEqual(own.unserialize((await other.serialize(message)) as Uint8Array), message)
  })
}

for (const name of ['msgpack', 'cbor'] as const) {
  test(`${name}: columns of doubles keep every bit, from typed arrays and to them`, (t) => {
    const column = Float64Array.of(
      1.5,
      Number.NaN,
      -0,
      Number.POSITIVE_INFINITY,
      ...Array.from({ length: 40 }, (_, i) => i / 3),
    )
    const one = serializer(name)
    const [, [{ x, y }]] = one.unserialize(one.serialize([1, [{ x: column, y: [1, 2] }]])) as [
      number,
      [{ x: Float64Array; y: number[] }],
    ]
    t.true(x instanceof Float64Array)
    t.deepEqual(Buffer.from(x.buffer), Buffer.from(column.buffer))
    t.deepEqual(y, [1, 2])
  })

  test(`${name}: 64-bit integers beyond 2^53 are bigints, and other typed arrays are arrays`, (t) => {
    const one = serializer(name)
    const message = [2n ** 63n, -(2n ** 60n), new Int16Array([1, -2]), Buffer.from('ab'), undefined]
    t.deepEqual(one.unserialize(one.serialize(message)), [2n ** 63n, -(2n ** 60n), [1, -2], Buffer.from('ab'), null])
    t.throws(() => one.serialize([2n ** 64n]), { code: 'ERR_SISOCK_MESSAGE_VALUE' })
    const circle: unknown[] = []
    circle.push(circle)
    t.throws(() => one.serialize(circle), { code: 'ERR_SISOCK_MESSAGE_VALUE' })
  })

  test(`${name}: any bytes are a message or an error with a code`, (t) => {
    const one = serializer(name)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          one.unserialize(bytes)
        } catch (error) {
          t.is((error as { code: string }).code, 'ERR_SISOCK_MESSAGE_MALFORMED')
        }
      }),
      { numRuns: 2000 },
    )
    t.pass()
  })

  test(`${name}: a key __proto__ is a key`, (t) => {
    const one = serializer(name)
    const value = one.unserialize(one.serialize([JSON.parse('{"__proto__":{"polluted":1}}')])) as [
      { polluted?: number },
    ]
    t.is(value[0].polluted, undefined)
    t.deepEqual(Object.keys(value[0]), ['__proto__'])
  })
}

test('json: columns are arrays, bytes are text as WAMP says, NaN is null, and Python literals are read', (t) => {
  const json = serializer('json')
  const message = { x: Float64Array.of(1, Number.NaN), b: Uint8Array.of(1, 2), n: 5n, list: [new Int32Array([3])] }
  t.is(json.serialize([message]).toString(), '[{"x":[1,null],"b":"\\u0000AQI=","n":5,"list":[[3]]}]')
  t.deepEqual(json.unserialize('[NaN, -Infinity, "NaN \\" Infinity", Infinity]'), [null, null, 'NaN " Infinity', null])
  t.throws(() => json.unserialize('[NaM]'), { code: 'ERR_SISOCK_MESSAGE_MALFORMED' })
  t.throws(() => json.serialize([2n ** 60n + 1n]), { code: 'ERR_SISOCK_MESSAGE_VALUE' })
})

for (const name of names) {
  test(`${name}: a batch gives back its messages, and a cut one is refused`, (t) => {
    const framing = new Framing(name, true)
    t.is(Framing.of(framing.subprotocol)?.subprotocol, framing.subprotocol)
    const one = serializer(name)
    const messages = [one.serialize([1]), one.serialize([2, 'x'.repeat(300)]), one.serialize([3])]
    const joined = Buffer.concat(messages.flatMap((message) => framing.inBatch(message)))
    t.deepEqual([...framing.split(joined)], messages)
    t.throws(() => [...framing.split(joined.subarray(0, joined.length - 1))], { code: 'ERR_SISOCK_MESSAGE_MALFORMED' })
  })
}

for (const [name, inRoom, parts] of [
  ['msgpack', 4, 1],
  ['cbor', 4, 1],
  ['cbor', 3, 2],
  ['json', 4, 2],
] as const) {
  test(`${name}: with ${inRoom} free bytes in front a message lies in a batch in ${parts} part(s)`, (t) => {
    const framing = new Framing(name, true)
    const message = serializer(name).serialize([1, 'x'], inRoom)
    const lying = framing.inBatch(message, inRoom)
    t.is(lying.length, parts)
    t.deepEqual([...framing.split(Buffer.concat(lying))], [message])
  })
}

test('the batched form of the first known serializer is chosen, where it is offered at all', (t) => {
  const chosen = (...offers: string[]): string | undefined => Framing.choose(offers)?.subprotocol
  t.is(chosen('wamp.2.msgpack', 'wamp.2.msgpack.batched', 'wamp.2.json'), 'wamp.2.msgpack.batched')
  t.is(chosen('wamp.2.ubjson', 'wamp.2.cbor', 'wamp.2.json.batched'), 'wamp.2.cbor')
  t.is(chosen('wamp.2.ubjson'), undefined)
})

test('a subprotocol of nobody is none', (t) => {
  t.is(Framing.of('wamp.2.ubjson'), undefined)
  t.is(Framing.of('wamp.2.msgpack.batched.'), undefined)
})
