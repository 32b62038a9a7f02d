import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { Block } from '../../ts/batch/index.js'
import { MemoryNetwork, SimulatedClock, type StatusEvent, type Transport } from '../../ts/session/index.js'
import {
  type SttpCommand,
  type SttpControl,
  SttpDownlink,
  SttpEncoder,
  SttpUplink,
  sttpWriteCommand,
  sttpWriteResponse,
} from '../../ts/sttp/codec.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import type { PublisherOptions } from '../../ts/sttp/publisher-options.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import type { PayloadEncoding } from '../../ts/sttp/subscription.js'
import { Synthetic, syntheticId } from '../../ts/sttp/synthetic.js'

const PORT = 7165
const TSSC = 0xe000_0262
const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'
const quiet = { statusMessage: false, errorMessage: false, reconnect: { jitter: 0 } } as const
const CPP = 'STTP v2 client connection accepted: payloads are compressed.'

const turns = async (count = 20) => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

interface Wanted {
  readonly encoding?: PayloadEncoding
  /** Texts have their length in front, which is how sttpapi is known. */
  readonly isSttpapi?: boolean
  readonly filter?: string
  readonly welcome?: string
  readonly metadata?: string
}

/** A publisher that a test writes byte by byte, and one who has subscribed to it. */
async function pair(t: ExecutionContext, wanted: Wanted = {}) {
  const { encoding = 'tssc', isSttpapi = false, filter = EVERYTHING, welcome = 'welcome' } = wanted
  const clock = new SimulatedClock()
  const network = new MemoryNetwork({ clock })
  const filters: (string | undefined)[] = []
  let transport: Transport | undefined
  const send = (...responses: SttpControl[]): void => {
    for (const response of responses) transport?.write(sttpWriteResponse(response, TSSC))
  }
  const text = (command: number, words: string): void => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(words.length)
    const payload = Buffer.concat([length, Buffer.from(words)])
    if (isSttpapi) send({ type: 'other', code: 0x80, command, payload })
    else send({ type: 'succeeded', command, text: words })
  }
  await network.listen({ host: '127.0.0.1', port: PORT }, (accepted) => {
    transport = accepted
    const uplink = new SttpUplink()
    accepted.start({
      onChunk(bytes) {
        uplink.decode(bytes)
        for (let command = uplink.takeCommand(); command !== null; command = uplink.takeCommand()) {
          if (command.type === 'defineOperationalModes') text(6, welcome)
          if (command.type === 'metadataRefresh') {
            send({ type: 'metadata', ...(wanted.metadata ? { payload: gzipSync(wanted.metadata) } : {}) })
          }
          if (command.type !== 'subscribe') continue
          filters.push(command.subscription?.filterExpression)
          text(2, 'subscribed')
        }
      },
      onClose() {},
    })
  })
  const told: string[] = []
  const subscriber = new Subscriber({
    ...quiet,
    clock,
    network,
    silence: 0,
    onStatus: ({ state, detail }) => state === 'quirk' && told.push(String(detail?.['quirk'])),
  })
  t.teardown(() => subscriber.close())
  void subscriber.subscribe(filter, { encoding })
  await subscriber.connect('127.0.0.1:7165')
  const values: number[] = []
  subscriber.consume((batch) => void values.push(...batch.value)).catch(() => {})
  const quirks = (): string[] => {
    // What is told by events stands in the session table too.
    t.deepEqual(subscriber.describe().quirks, told)
    return told
  }
  const write = (bytes: Uint8Array): void => void transport?.write(bytes)
  return { clock, subscriber, values, send, write, filters, quirks }
}

function cache(cacheIndex: number): SttpControl {
  const signalIds = Buffer.alloc(32)
  signalIds[15] = 1
  signalIds[31] = 2
  return { type: 'signalIndexCache', cacheIndex, signalIds, sources: ['A', 'A'], keyIds: BigUint64Array.of(1n, 2n) }
}

/** Writes frames of two signals. */
class Frames {
  readonly #encoder: SttpEncoder
  #next = 0

  constructor(modes = TSSC, cacheIndex = 0) {
    this.#encoder = new SttpEncoder(modes, true, false)
    this.use(cacheIndex)
  }

  use(cacheIndex: number): void {
    this.#encoder.setSignals(Uint32Array.of(0, 1), cacheIndex)
  }

  next(): Buffer {
    const block = new Block(2)
    block.count = 2
    const n = this.#next++
    block.time.fill(1_704_067_200_000_000_000n + BigInt(n) * 100n)
    block.value.set([n, 1000 + n])
    block.signal.set([0, 1])
    const out = Buffer.alloc(1 << 16)
    const result = new Uint32Array(3)
    this.#encoder.encode(block.bytes, 0, out, 0, result)
    return out.subarray(0, result[0])
  }
}

test('B1: compact packets without a count', async (t) => {
  const { send, write, values, quirks } = await pair(t, { encoding: 'compact' })
  send(cache(0))
  const frame = new Frames(0xc000_0222).next()
  const payload = Buffer.concat([frame.subarray(10, 11), frame.subarray(15)])
  write(sttpWriteResponse({ type: 'other', code: 0x82, command: 2, payload }, TSSC))
  await turns()
  t.deepEqual([values, quirks()], [[0, 1000], ['compact-without-count']])
})

test('B2: TSSC that goes on over a new subscription', async (t) => {
  const { send, write, values, quirks, subscriber } = await pair(t)
  const frames = new Frames()
  send(cache(0))
  write(frames.next())
  await turns()
  await subscriber.subscribe(EVERYTHING)
  send(cache(0))
  write(frames.next())
  await turns()
  t.deepEqual([values, quirks()], [[0, 1000, 1, 1001], ['tssc-not-reset']])
})

test('B3: a publisher that has no numbers left is left', async (t) => {
  const { clock, send, write, values, quirks, subscriber } = await pair(t, { isSttpapi: true })
  const frames = new Frames()
  send(cache(0))
  for (let packet = 0; packet < 65_536; packet++) {
    write(frames.next())
    if (packet % 4096 === 4095) await turns(3)
  }
  await turns()
  t.is(values.length, 131_072)
  send({ type: 'noOp' })
  await turns()
  t.is(subscriber.stats.reconnects, 0)
  send({ type: 'noOp' })
  await turns()
  await clock.advance(2000)
  await turns()
  t.is(subscriber.stats.reconnects, 1)
  t.true(quirks().includes('tssc-ends-at-65535'))
})

test('B4: texts with their length in front', async (t) => {
  const { quirks } = await pair(t, { isSttpapi: true })
  t.deepEqual(quirks(), ['text-length-prefix'])
})

test('B5: the cache index FF means 0', async (t) => {
  const { send, write, values, quirks } = await pair(t)
  const image = sttpWriteResponse(cache(0), TSSC)
  image[10] = 0xff
  write(image)
  write(new Frames().next())
  await turns()
  t.deepEqual([values, quirks()], [[0, 1000], ['cache-index-ff']])
  t.is(typeof send, 'function')
})

test('B6: times with a point and no digits behind it', async (t) => {
  const xml = Buffer.from(new Synthetic({ signals: 1 }).metadata().toXml()).toString()
  const time = '<UpdatedOn>2024-01-02T03:04:05.Z</UpdatedOn>'
  const metadata = xml
    .replace(/<UpdatedOn>[^<]*<\/UpdatedOn>/g, '')
    .replace('</MeasurementDetail>', `${time}</MeasurementDetail>`)
  const { subscriber, quirks } = await pair(t, { metadata })
  t.is(subscriber.metadata?.table('MeasurementDetail')?.rows, 1)
  t.deepEqual(quirks(), ['time-point-without-digits'])
})

test('B7: statements are joined for a publisher that cuts at semicolons', async (t) => {
  const { filters, quirks } = await pair(t, { isSttpapi: true, filter: 'A:1;A:2' })
  t.deepEqual(filters, ["FILTER ActiveMeasurements WHERE ID IN ('A:1', 'A:2')"])
  t.deepEqual(quirks(), ['text-length-prefix', 'filter-cut-at-semicolons'])
})

/** A publisher, and the bytes of a client who has subscribed by a connection string of its own. */
async function subscribedBy(t: ExecutionContext, settings: string, options: PublisherOptions = {}) {
  const network = new MemoryNetwork()
  const told: string[] = []
  const onStatus = ({ state, detail }: StatusEvent): void => {
    if (state === 'peer-quirk') told.push(String(detail?.['quirk']))
  }
  const publisher = new Publisher({ network, onStatus, ...options })
  t.teardown(() => publisher.close())
  publisher.defineMetadata(new Synthetic({ signals: 2 }).metadata())
  await publisher.start({ host: '127.0.0.1', port: PORT })
  const transport = await network.dial({ host: '127.0.0.1', port: PORT })
  const controls: SttpControl[] = []
  const downlink = new SttpDownlink()
  const block = new Block(64)
  transport.start({
    onChunk(bytes) {
      for (let from = 0, status = 1; status !== 0; from += block.consumed) {
        block.clear()
        status = downlink.decode(bytes.subarray(from), block.bytes)
        for (let control = downlink.takeControl(); control !== null; control = downlink.takeControl()) {
          controls.push(control)
        }
      }
    },
    onClose() {},
  })
  const send = (command: SttpCommand): void => void transport.write(sttpWriteCommand(command))
  send({ type: 'defineOperationalModes', modes: TSSC })
  const words = Buffer.from(`filterExpression={${EVERYTHING}}; ${settings}`)
  const head = Buffer.alloc(5)
  head[0] = 2
  head.writeUInt32BE(words.length, 1)
  send({ type: 'other', code: 2, payload: Buffer.concat([head, words]) })
  await turns()
  send({ type: 'confirmUpdateSignalIndexCache' })
  await turns()
  const quirks = (): string[] => {
    t.deepEqual(publisher.subscribers[0]?.quirks, told)
    return told
  }
  return { publisher, controls, quirks }
}

const python = 'assemblyInfo={source=STTP Python Library; version=0.7.6; updatedOn=2026-07-13}'

test('B8: a setting without a value does not refuse the subscription', async (t) => {
  const { publisher, quirks } = await subscribedBy(t, 'throttled=false;requestNaNValueFilterfalse')
  t.is(publisher.subscribers[0]?.signals, 2)
  t.deepEqual(quirks(), ['setting-without-value'])
})

test('B10: sttpapi’s subscriber is never sent the second base time', async (t) => {
  // What is sent then is in base-times.spec.ts.
  const { quirks } = await subscribedBy(t, python)
  t.deepEqual(quirks(), ['one-base-time'])
})

test('B9: data of the second cache without its flag', async (t) => {
  const { send, write, values, quirks, subscriber } = await pair(t, { welcome: CPP })
  const frames = new Frames()
  send(cache(0))
  write(frames.next())
  await turns()
  await subscriber.subscribe(EVERYTHING)
  send(cache(1))
  frames.use(0)
  write(frames.next())
  await turns()
  t.deepEqual([values, quirks()], [[0, 1000, 1, 1001], ['cache-index-flag-missing']])
})

test('B11: who cannot use keys gets no encrypted data, and is told why', async (t) => {
  const options = { dataChannel: { encryption: 'always' } } as const
  const { controls, quirks } = await subscribedBy(t, `dataChannel={localport=9000}; ${python}`, options)
  t.true(
    controls.some(({ type, text }) => type === 'failed' && /Python Library cannot read encrypted/.test(text ?? '')),
  )
  t.deepEqual(quirks(), ['one-base-time', 'cipher-keys-misread'])
})

test('B13: half a measurement in the stream is told, counted and survived', async (t) => {
  const { clock, send, write, quirks, subscriber } = await pair(t, { isSttpapi: true })
  send(cache(0))
  const frame = Buffer.from(new Frames().next())
  const half = frame.subarray(0, frame.length - 4)
  half.writeUInt32BE(half.length - 4, 0)
  half.writeUInt32BE(half.length - 10, 6)
  write(half)
  await turns()
  t.true(quirks().includes('tssc-damaged'))
  t.is([...subscriber.ledger][0]?.cause, 'decoder')
  t.true(subscriber.stats.failed > 0)
  for (let wait = 0; wait < 8; wait++) {
    await clock.advance(1000)
    await turns()
  }
  t.is(subscriber.state, 'connected')
})

test('B16: who takes the flags of a buffer block for a cache gets neither flags nor gzip', async (t) => {
  for (const [source, flags] of [
    ['STTP Go Library', 0],
    ['STTP C++ Library', 0],
    ['some program', 0x09],
  ] as const) {
    const { publisher, controls, quirks } = await subscribedBy(t, `assemblyInfo={source=${source}; version=1}`)
    const payload = Buffer.alloc(5000, 7)
    t.is(publisher.broadcastBufferBlock(syntheticId(1), payload), 1)
    const block = (): SttpControl | undefined => controls.find(({ type }) => type === 'bufferBlock')
    for (let wait = 0; wait < 500 && block() === undefined; wait++) await turns()
    t.is(block()?.flags, flags)
    t.is(block()?.payload?.length === 5000, flags === 0)
    t.deepEqual(quirks(), flags === 0 ? ['buffer-blocks-without-flags'] : [])
    await publisher.close()
  }
})
