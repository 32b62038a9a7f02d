import test from 'ava'
import fc from 'fast-check'
import { BlockRing, type MeasurementBatch, SignalTable } from '../../ts/batch/index.js'
import { BlockIntake } from '../../ts/session/block-intake.js'
import { SimulatedClock } from '../../ts/session/clock.js'
import { Delivery, type DeliveryOptions } from '../../ts/session/delivery.js'
import { sessionError } from '../../ts/session/error-codes.js'
import { memoryPair } from '../../ts/session/memory-transport.js'
import { Stats } from '../../ts/session/stats.js'
import { ByteDecoder, CONTROL, LOST, MALFORMED, RUN } from './byte-decoder.js'

interface Bench {
  readonly delivery: Delivery<MeasurementBatch>
  readonly intake: BlockIntake
  readonly stats: Stats
  readonly met: string[]
  readonly pauses: string[]
  readonly decoder: ByteDecoder
}

function bench(rows: number, blocks = 4, options: Partial<DeliveryOptions<MeasurementBatch>> = {}): Bench {
  const delivery = new Delivery<MeasurementBatch>({ source: 's', ...options })
  const stats = new Stats()
  const met: string[] = []
  const pauses: string[] = []
  const decoder = new ByteDecoder()
  const intake = new BlockIntake({
    system: 'tia',
    delivery,
    ring: new BlockRing(blocks, rows),
    decoder,
    transport: { pause: () => pauses.push('pause'), resume: () => pauses.push('resume') },
    handler: {
      onControl: () => met.push(`control@${stats.received}`),
      onMalformed: () => met.push(`malformed@${stats.received}`),
      onLost: (error) => met.push(`lost ${error?.code ?? ''}@${stats.received}`),
    },
    stats,
    signals: new SignalTable(),
  })
  return { delivery, intake, stats, met, pauses, decoder }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

test('a waiting loop gets the rows of a chunk when the chunk is over', async (t) => {
  const { delivery, intake } = bench(8)
  const loop = delivery[Symbol.asyncIterator]()
  const first = loop.next()
  intake.feed(bytes(1, 2, 3))
  t.deepEqual([...((await first).value as MeasurementBatch).value], [1, 2, 3])
  const second = loop.next()
  intake.feed(bytes(4))
  t.deepEqual([...((await second).value as MeasurementBatch).value], [4])
})

test('rows gather in one batch while the consumer is busy', async (t) => {
  const { delivery, intake } = bench(8)
  const loop = delivery[Symbol.asyncIterator]()
  const first = loop.next()
  intake.feed(bytes(1))
  await first
  for (let n = 2; n <= 6; n++) intake.feed(bytes(n))
  t.deepEqual([...((await loop.next()).value as MeasurementBatch).value], [2, 3, 4, 5, 6])
})

test('the memory of a batch is used again when the loop comes back, not before', async (t) => {
  const { delivery, intake } = bench(2, 3)
  const loop = delivery[Symbol.asyncIterator]()
  intake.feed(bytes(1, 2, 3, 4))
  const first = (await loop.next()).value as MeasurementBatch
  intake.feed(bytes(5, 6, 7, 8, 9))
  t.deepEqual([...first.value], [1, 2])
  const kept = first.copy()
  const blocks = new Set<unknown>([first.block])
  for (let n = 0; n < 4; n++) blocks.add(((await loop.next()).value as MeasurementBatch).block)
  t.is(blocks.size, 3)
  t.deepEqual([...kept.value], [1, 2])
})

test('a full ring pauses the transport, and the consumer’s turn goes on with the rest of the chunk', async (t) => {
  const { delivery, intake, pauses, stats } = bench(2, 3)
  intake.feed(bytes(1, 2, 3, 4, 5, 6, 7, 8, 9))
  t.deepEqual(pauses, ['pause'])
  t.is(stats.received, 6)
  await turn()
  t.is(stats.received, 6)
  const seen: number[] = []
  const done = delivery.consume((batch) => {
    seen.push(...batch.value)
  })
  await turn()
  t.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9])
  t.deepEqual(pauses, ['pause', 'resume'])
  intake.finish()
  delivery.end()
  await done
})

test('waiting for room costs no turns of the event loop', async (t) => {
  const { intake, decoder } = bench(2, 3)
  intake.feed(bytes(1, 2, 3, 4, 5, 6, 7, 8, 9))
  for (let n = 0; n < 10; n++) await turn()
  t.true(decoder.calls <= 5)
})

test('rows without bytes are decoded without a chunk', async (t) => {
  const { delivery, intake, stats } = bench(256, 4)
  let rows = 0
  const done = (async () => {
    for await (const batch of delivery) {
      t.true(batch.value.every((value) => value === 7))
      rows += batch.length
    }
  })()
  intake.feed(bytes(RUN))
  intake.feed(bytes(10))
  intake.finish()
  delivery.end()
  await done
  t.is(rows, 10_000)
  t.is(stats.received, 10_000)
})

test('control messages and malformed ones are met in the order of the bytes', (t) => {
  const { intake, met } = bench(8)
  intake.feed(bytes(1, CONTROL, 2, 3, MALFORMED, CONTROL, 4, LOST, 5))
  intake.feed(bytes(6))
  t.deepEqual(met, ['control@1', 'malformed@3', 'control@3', 'lost @4'])
})

test('what the addon throws ends the decoding as an error of ours', (t) => {
  const { intake, met, decoder } = bench(8)
  decoder.decode = () => {
    throw Object.assign(new Error('panicked'), { code: 'ERR_SESSION_CODEC_POISONED' })
  }
  intake.feed(bytes(1))
  t.deepEqual(met, ['lost ERR_SESSION_CODEC_POISONED@0'])
})

test('rows before the loss of framing are delivered', async (t) => {
  const { delivery, intake } = bench(8)
  intake.feed(bytes(1, 2, LOST, 3))
  delivery.end(sessionError('ERR_SESSION_CODEC_POISONED', 'lost'))
  const seen: number[] = []
  await t.throwsAsync(
    (async () => {
      for await (const batch of delivery) seen.push(...batch.value)
    })(),
    { code: 'ERR_SESSION_CODEC_POISONED' },
  )
  t.deepEqual(seen, [1, 2])
})

test('a session has one consumer', async (t) => {
  const { delivery } = bench(8)
  const loop = delivery[Symbol.asyncIterator]()
  t.throws(() => delivery.consume(() => {}), { code: 'ERR_SESSION_CONSUMER_SECOND' })
  t.throws(() => delivery[Symbol.asyncIterator](), { code: 'ERR_SESSION_CONSUMER_SECOND' })
  void loop.next()
  await t.throwsAsync(loop.next(), { code: 'ERR_SESSION_CONSUMER_SECOND' })
})

test('a loop that is left may be followed by another', async (t) => {
  const { delivery, intake } = bench(8)
  intake.feed(bytes(1))
  for await (const batch of delivery) {
    t.is(batch.length, 1)
    break
  }
  intake.feed(bytes(2, 3))
  delivery.end()
  for await (const batch of delivery) t.deepEqual([...batch.value], [2, 3])
})

test('a function that takes its time gets the next batch when it is done', async (t) => {
  const { delivery, intake } = bench(4, 3)
  const seen: number[][] = []
  let go = (): void => {}
  const done = delivery.consume((batch) => {
    seen.push([...batch.value])
    return new Promise((resolve) => {
      go = resolve
    })
  })
  intake.feed(bytes(1))
  intake.feed(bytes(2))
  intake.feed(bytes(3))
  await turn()
  t.deepEqual(seen, [[1]])
  go()
  await turn()
  t.deepEqual(seen, [[1], [2, 3]])
  intake.finish()
  delivery.end()
  go()
  await done
})

test('what the function throws ends the consumption', async (t) => {
  for (const call of [
    () => {
      throw new Error('mine')
    },
    () => Promise.reject(new Error('mine')),
  ]) {
    const { delivery, intake } = bench(4, 3)
    const done = delivery.consume(call)
    intake.feed(bytes(1))
    await t.throwsAsync(done, { message: 'mine' })
  }
})

test('maxDelay lets rows gather, a full batch does not wait', async (t) => {
  const clock = new SimulatedClock()
  const { delivery, intake } = bench(4, 4, { clock, maxDelay: 250 })
  const seen: number[][] = []
  void delivery.consume((batch) => {
    seen.push([...batch.value])
  })
  intake.feed(bytes(1))
  await clock.advance(100)
  intake.feed(bytes(2))
  await clock.advance(100)
  t.deepEqual(seen, [])
  await clock.advance(50)
  t.deepEqual(seen, [[1, 2]])
  intake.feed(bytes(3, 4, 5, 6, 7))
  t.deepEqual(seen, [
    [1, 2],
    [3, 4, 5, 6],
  ])
  await clock.advance(250)
  t.deepEqual(seen.at(-1), [7])
})

test('maxDelay does not hold back the end', async (t) => {
  const { delivery, intake } = bench(4, 4, { clock: new SimulatedClock(), maxDelay: 250 })
  const seen: number[] = []
  const done = delivery.consume((batch) => {
    seen.push(...batch.value)
  })
  intake.feed(bytes(1))
  intake.finish()
  delivery.end()
  await done
  t.deepEqual(seen, [1])
})

test('drop-oldest gives up the oldest waiting rows and goes on reading', async (t) => {
  const dropped: number[] = []
  const { delivery, intake, stats, pauses } = bench(2, 3, {
    policy: 'drop-oldest',
    onDrop: ({ batch }) => dropped.push(...batch.value),
  })
  const loop = delivery[Symbol.asyncIterator]()
  const first = loop.next()
  intake.feed(bytes(1, 2))
  await first
  for (let n = 3; n < 20; n++) {
    intake.feed(bytes(n))
    if (pauses.at(-1) === 'pause') await turn()
    t.is(pauses.at(-1) ?? 'resume', 'resume')
  }
  intake.finish()
  delivery.end()
  const kept: number[] = []
  for (let next = await loop.next(); !next.done; next = await loop.next()) kept.push(...next.value.value)
  t.is(stats.received, 19)
  t.true(dropped.length > 0)
  t.deepEqual(
    [...dropped, ...kept],
    Array.from({ length: 17 }, (_, n) => n + 3),
  )
})

test('drop-oldest keeps batches without rows', async (t) => {
  const dropped: string[] = []
  const onDrop = ({ batch }: { batch: { source: string } }): void => void dropped.push(batch.source)
  const delivery = new Delivery({ source: 's', policy: 'drop-oldest', queueBytes: 10, onDrop } as never)
  const push = (source: string, rows: number): void => {
    delivery.push({ batch: { source } as never, rows, bytes: 5, release: () => {} })
  }
  delivery.attach({
    rows: 0,
    isHolding: true,
    seal: () => t.fail() as never,
    room: () => {
      while (delivery.isFull) if (!delivery.makeRoom()) return
    },
    discard: () => 0,
  })
  push('begin', 0)
  push('rows', 3)
  delivery.scheduleRoom()
  await turn()
  t.deepEqual(dropped, ['rows'])
  push('end', 0)
  delivery.scheduleRoom()
  await turn()
  t.deepEqual([dropped, delivery.queuedBytes], [['rows'], 10])
})

test('disconnect tells the overflow once the consumer had its turn', async (t) => {
  const errors: string[] = []
  const { delivery, intake } = bench(2, 3, { policy: 'disconnect', onOverflow: ({ code }) => errors.push(code) })
  intake.feed(bytes(1, 2, 3, 4, 5, 6, 7))
  t.deepEqual(errors, [])
  await turn()
  t.deepEqual(errors, ['ERR_SESSION_QUEUE_FULL'])
  t.is(delivery.close(), 6)
})

test('closing gives back what nobody has taken', async (t) => {
  const { delivery, intake, stats } = bench(2, 4)
  const loop = delivery[Symbol.asyncIterator]()
  const first = loop.next()
  intake.feed(bytes(1, 2, 3, 4, 5))
  await first
  t.is(stats.received, 2)
  await turn()
  t.is(stats.received, 5)
  t.is(delivery.close(), 3)
  t.true((await loop.next()).done)
  await delivery.drained
})

test('rows are handed over once and in order, however chunks, blocks and consumers fall', async (t) => {
  const chunk = fc.array(
    fc.oneof({ weight: 20, arbitrary: fc.nat(200) }, { weight: 1, arbitrary: fc.constant(CONTROL) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(chunk, { maxLength: 20 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 3, max: 5 }),
      fc.constantFrom('loop', 'lazy loop', 'function', 'slow function'),
      async (chunks, rows, blocks, kind) => {
        const { delivery, stats } = bench(rows, blocks)
        const [near, far] = memoryPair({ split: (available) => Math.ceil(available / 2) })
        const controls: number[] = []
        const intake = new BlockIntake({
          system: 'tia',
          delivery,
          ring: new BlockRing(blocks, rows),
          decoder: new ByteDecoder(),
          transport: near,
          handler: { onControl: () => controls.push(stats.received), onMalformed: () => {}, onLost: () => {} },
          stats,
          signals: new SignalTable(),
        })
        near.start({
          onChunk: intake.feed,
          onEnd: () => {
            intake.finish()
            delivery.end()
          },
          onClose: () => {},
        })
        far.start({ onChunk: () => {}, onClose: () => {} })
        const seen: number[] = []
        const consumed =
          kind === 'function'
            ? delivery.consume((batch) => void seen.push(...batch.value))
            : kind === 'slow function'
              ? delivery.consume(async (batch) => {
                  await turn()
                  seen.push(...batch.value)
                })
              : (async () => {
                  for await (const batch of delivery) {
                    if (kind === 'lazy loop') await turn()
                    seen.push(...batch.value)
                  }
                })()
        for (const [n, values] of chunks.entries()) {
          far.write(Uint8Array.from(values))
          if (n % 3 === 0) await turn()
        }
        far.end()
        await consumed
        const all = chunks.flat()
        t.deepEqual(
          seen,
          all.filter((byte) => byte !== CONTROL),
        )
        const expected: number[] = []
        all.reduce((received, byte) => {
          if (byte === CONTROL) expected.push(received)
          return byte === CONTROL ? received : received + 1
        }, 0)
        t.deepEqual(controls, expected)
      },
    ),
    { numRuns: 300 },
  )
})
