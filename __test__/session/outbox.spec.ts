import test from 'ava'
import { memoryPair } from '../../ts/session/memory-transport.js'
import { Outbox, type OutboxOptions } from '../../ts/session/outbox.js'
import { Stats } from '../../ts/session/stats.js'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A transport that keeps what is written and says what it is told to say. */
class Wire {
  readonly peer = 'peer:1'
  readonly writes: Uint8Array[][] = []
  queuedBytes = 0
  mayGoOn = true
  /** What is written has gone when `write` comes back. */
  isFast = false
  readonly #dones: (() => void)[] = []

  write(bytes: Uint8Array | readonly Uint8Array[], done?: () => void): boolean {
    const buffers = bytes instanceof Uint8Array ? [bytes] : [...bytes]
    this.writes.push(buffers)
    const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
    this.queuedBytes += length
    this.#dones.push(() => {
      this.queuedBytes -= length
      done?.()
    })
    if (this.isFast) this.drain()
    return this.mayGoOn
  }

  /** What was written has gone. */
  drain(): void {
    for (const done of this.#dones.splice(0)) done()
  }

  get lengths(): number[][] {
    return this.writes.map((buffers) => buffers.map(({ length }) => length))
  }
}

function make(options: Partial<OutboxOptions> = {}): { wire: Wire; outbox: Outbox; dropped: number[] } {
  const wire = new Wire()
  const dropped: number[] = []
  const outbox = new Outbox({ transport: wire, onDrop: (rows) => dropped.push(rows), ...options })
  return { wire, outbox, dropped }
}

test('the frames of one turn go out as one write, small neighbours in one buffer', async (t) => {
  const { wire, outbox } = make()
  const order: number[] = []
  for (const [n, length] of [10, 20, 5000, 30, 6000, 40, 50].entries()) {
    outbox.send(new Uint8Array(length).fill(n), 1, () => order.push(n))
  }
  t.deepEqual(wire.writes, [])
  await turn()
  t.deepEqual(wire.lengths, [[30, 5000, 30, 6000, 90]])
  t.deepEqual([...(wire.writes.flat()[0] as Uint8Array).subarray(8, 12)], [0, 0, 1, 1])
  t.deepEqual(order, [])
  wire.drain()
  t.deepEqual(order, [0, 1, 2, 3, 4, 5, 6])
  outbox.send(new Uint8Array(7))
  await turn()
  t.deepEqual(wire.lengths.at(-1), [7])
})

test('one frame a turn goes out at once; others behind it, and the next turn, wait for the end of theirs', async (t) => {
  const { wire, outbox } = make()
  const order: number[] = []
  const send = (length: number): boolean => outbox.send(new Uint8Array(length), 1, () => order.push(length))
  send(1)
  t.deepEqual(wire.lengths, [])
  await turn()
  wire.drain()
  send(2)
  t.deepEqual(wire.lengths, [[1], [2]])
  send(3)
  send(4)
  t.deepEqual(wire.lengths, [[1], [2]])
  await turn()
  t.deepEqual(wire.lengths, [[1], [2], [7]])
  wire.drain()
  t.deepEqual(order, [1, 2, 3, 4])
  send(5)
  t.is(wire.lengths.length, 3)
  await turn()
  t.deepEqual(wire.lengths.at(-1), [5])
})

test('where each frame has gone at once, others of its turn are looked for now and then', async (t) => {
  const { wire, outbox } = make()
  wire.isFast = true
  const done: number[] = []
  for (let n = 0; n < 20; n++) {
    outbox.send(new Uint8Array(1), 1, () => done.push(n))
    if (n > 0) t.is(done.length, n + 1)
    await turn()
  }
  t.is(wire.writes.length, 20)
  wire.writes.length = 0
  for (let n = 0; n < 256; n++) outbox.send(new Uint8Array(1), 1, () => done.push(n))
  await turn()
  t.true(wire.writes.length <= 9, `${wire.writes.length} writes`)
  t.is(done.length, 20 + 256)
  wire.writes.length = 0
  for (let n = 0; n < 256; n++) outbox.send(new Uint8Array(1))
  await turn()
  t.deepEqual(wire.lengths, [[256]])
})

test('nothing goes out at once while something is under way, or there is no room', async (t) => {
  const { wire, outbox } = make()
  outbox.send(new Uint8Array(1))
  await turn()
  outbox.send(new Uint8Array(2))
  t.deepEqual(wire.lengths, [[1]])
  await turn()
  wire.mayGoOn = false
  wire.drain()
  outbox.send(new Uint8Array(3))
  t.deepEqual(wire.lengths, [[1], [2], [3]])
  wire.drain()
  await turn()
  outbox.send(new Uint8Array(4))
  await turn()
  t.is(wire.lengths.length, 3)
  outbox.onDrain()
  t.deepEqual(wire.lengths.at(-1), [4])
})

test('datagrams stay apart', async (t) => {
  const { wire, outbox } = make({ isDatagram: true })
  for (const length of [1, 2, 3]) outbox.send(new Uint8Array(length))
  await turn()
  t.deepEqual(wire.lengths, [[1, 2, 3]])
})

test('a transport without room is left alone until it drains', async (t) => {
  const { wire, outbox } = make()
  wire.mayGoOn = false
  outbox.send(new Uint8Array(1))
  await turn()
  outbox.send(new Uint8Array(2))
  outbox.send(new Uint8Array(3))
  await turn()
  t.deepEqual(wire.lengths, [[1]])
  t.is(outbox.queuedBytes, 6)
  wire.mayGoOn = true
  wire.drain()
  outbox.onDrain()
  t.deepEqual(wire.lengths, [[1], [5]])
})

test('block says to wait, and when to go on', async (t) => {
  const { wire, outbox } = make({ maxBytes: 100 })
  t.true(outbox.send(new Uint8Array(60), 1))
  t.false(outbox.send(new Uint8Array(60), 1))
  let isReady = false
  const ready = outbox.ready().then(() => {
    isReady = true
  })
  await turn()
  await turn()
  t.false(isReady)
  wire.drain()
  await ready
  t.is(outbox.queuedBytes, 0)
  await outbox.ready()
})

test('drop-oldest gives up the oldest frames with rows, never a control message', async (t) => {
  const { wire, outbox, dropped } = make({ maxBytes: 100, policy: 'drop-oldest' })
  wire.mayGoOn = false
  outbox.send(new Uint8Array(10), 9)
  await turn()
  outbox.send(new Uint8Array(20))
  outbox.send(new Uint8Array(30), 1)
  outbox.send(new Uint8Array(31), 2)
  t.true(outbox.send(new Uint8Array(32), 3))
  t.deepEqual(dropped, [1])
  t.true(outbox.send(new Uint8Array(69), 4))
  t.deepEqual(dropped, [1, 2, 3])
  outbox.send(new Uint8Array(90))
  t.deepEqual(dropped, [1, 2, 3, 4])
  outbox.send(new Uint8Array(90), 5)
  t.deepEqual(dropped, [1, 2, 3, 4, 5])
  wire.mayGoOn = true
  wire.drain()
  outbox.onDrain()
  t.deepEqual(wire.lengths.slice(1), [[110]])
})

test('drop-oldest costs no more where very many small frames wait', async (t) => {
  const frames = 150_000
  const { wire, outbox, dropped } = make({ maxBytes: frames, policy: 'drop-oldest' })
  wire.mayGoOn = false
  outbox.send(new Uint8Array(1), 1)
  await turn()
  // Each that is given up must not move all the others: that would take minutes.
  for (let n = 0; n < 4 * frames; n++) outbox.send(Uint8Array.of(n), n + 1)
  t.is(dropped.length, 3 * frames + 1)
  t.deepEqual([dropped[0], dropped.at(-1)], [1, 3 * frames + 1])
  t.is(outbox.queuedFrames, frames - 1)
  wire.mayGoOn = true
  wire.drain()
  outbox.onDrain()
  t.is(wire.writes.slice(1).flat()[0]?.[0], (3 * frames + 1) % 256)
})

test('disconnect tells the overflow and throws away what waits', async (t) => {
  const errors: string[] = []
  const { outbox } = make({ maxBytes: 100, policy: 'disconnect', onOverflow: ({ code }) => errors.push(code) })
  outbox.send(new Uint8Array(60), 1)
  t.false(outbox.send(new Uint8Array(60), 1))
  t.deepEqual(errors, ['ERR_SESSION_QUEUE_FULL'])
  t.is(outbox.queuedFrames, 0)
  t.false(outbox.send(new Uint8Array(1)))
  await outbox.ready()
})

test('closing gives the rows that did not go', async (t) => {
  const { wire, outbox } = make()
  outbox.send(new Uint8Array(1), 3)
  outbox.send(new Uint8Array(1), 4)
  const flushed = outbox.flushed()
  t.is(outbox.close(), 7)
  await flushed
  await turn()
  t.deepEqual(wire.writes, [])
})

test('a megabyte goes out in pieces, in order, and is counted', async (t) => {
  const [near, far] = memoryPair({ split: (n) => Math.ceil(n / 3) })
  const stats = new Stats()
  const outbox = new Outbox({ transport: near, stats })
  near.start({ onChunk: () => {}, onDrain: outbox.onDrain, onClose: () => {} })
  let sum = 0
  let next = 0
  let inOrder = true
  far.start({
    onChunk: (chunk) => {
      for (const byte of chunk) inOrder &&= byte === next++ % 251
      sum += chunk.length
    },
    onClose: () => {},
  })
  let at = 0
  for (let n = 0; n < 3000; n++) {
    outbox.send(Uint8Array.from({ length: (n % 7) * 300 }, () => at++ % 251))
  }
  await outbox.flushed()
  await turn()
  t.is(sum, at)
  t.true(inOrder)
  t.deepEqual([stats.bytesOut, stats.messagesOut], [at, 3000])
})
