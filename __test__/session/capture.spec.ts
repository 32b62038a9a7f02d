import test from 'ava'
import fc from 'fast-check'
import {
  CAPTURE_KIND,
  CAPTURE_MAGIC,
  type CaptureItem,
  CapturingNetwork,
  captureBytes,
  captureItems,
  MemoryNetwork,
  systemClock,
  type Transport,
} from '../../ts/session/index.js'

async function collect(chunks: readonly Uint8Array[]): Promise<CaptureItem[]> {
  const items: CaptureItem[] = []
  async function* feed() {
    yield* chunks
  }
  for await (const item of captureItems(feed())) items.push({ ...item, bytes: Uint8Array.from(item.bytes) })
  return items
}

const item = fc.record({
  time: fc.bigInt({ min: 0n, max: 2n ** 63n }),
  channel: fc.nat(65_535),
  direction: fc.constantFrom('received' as const, 'sent' as const),
  kind: fc.integer({ min: 1, max: 8 }),
  bytes: fc.uint8Array({ maxLength: 40 }),
})

test('items come back however the file is cut into chunks', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 8 }), fc.integer({ min: 1, max: 50 }), async (items, size) => {
      const file = Buffer.concat([CAPTURE_MAGIC, ...items.map(captureBytes)])
      const chunks = Array.from({ length: Math.ceil(file.length / size) }, (_, n) =>
        file.subarray(n * size, (n + 1) * size),
      )
      t.deepEqual(await collect(chunks), items)
    }),
  )
})

test('what is no capture, or is cut, is an error behind the whole items', async (t) => {
  const whole = Buffer.concat([
    CAPTURE_MAGIC,
    captureBytes({ time: 1n, channel: 0, direction: 'sent', kind: 1, bytes: Buffer.from('x') }),
  ])
  t.deepEqual(await collect([CAPTURE_MAGIC]), [])
  for (let length = 0; length < whole.length; length++) {
    if (length === CAPTURE_MAGIC.length) continue
    await t.throwsAsync(collect([whole.subarray(0, length)]), { code: 'ERR_SESSION_CAPTURE_FORMAT' }, String(length))
  }
  await t.throwsAsync(collect([Buffer.from('PK\u0003\u0004 something else')]), { code: 'ERR_SESSION_CAPTURE_FORMAT' })
})

test('a network that captures tells both directions and changes nothing', async (t) => {
  const items: CaptureItem[] = []
  const memory = new MemoryNetwork()
  let far: Transport | undefined
  await memory.listen({ host: '127.0.0.1', port: 1 }, (transport) => {
    far = transport
    transport.start({ onChunk: (bytes) => transport.write(Uint8Array.from(bytes).reverse()), onClose: () => {} })
  })
  const network = new CapturingNetwork(memory, systemClock, (taken) => {
    items.push({ ...taken, bytes: Uint8Array.from(taken.bytes) })
  })
  const near = await network.dial({ host: '127.0.0.1', port: 1 })
  const received = await new Promise<number[]>((resolve) => {
    near.start({ onChunk: (bytes) => resolve([...bytes]), onClose: () => {} })
    near.write([Uint8Array.of(1, 2), Uint8Array.of(3)])
  })
  t.deepEqual(received.length > 0, true)
  t.is(near.peer, '127.0.0.1:1')
  const bytesOf = (direction: string) =>
    items.filter((one) => one.direction === direction).flatMap(({ bytes }) => [...bytes])
  t.deepEqual(bytesOf('sent'), [1, 2, 3])
  t.deepEqual(bytesOf('received').slice(0, received.length), received)
  t.true(items.every(({ kind, channel, time }) => kind === CAPTURE_KIND.stream && channel === 0 && time > 0n))
  far?.close()
})
