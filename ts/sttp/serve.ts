import { MeasurementBatch } from '../batch/index.js'
import {
  type Clock,
  type Course,
  courseOf,
  courseOptions,
  describeError,
  OptionValues,
  Pacer,
  type SessionOptions,
  systemClock,
  type TlsOptions,
} from '../session/index.js'
import { sttpError } from './error-codes.js'
import { Publisher } from './publisher.js'
import type { PublisherOptions } from './publisher-options.js'
import { ServedRecording, type Speed } from './serve-recording.js'
import { Synthetic, syntheticId } from './synthetic.js'

/** The options of `measurand serve sttp`. */
export const serveOptions = {
  from: { value: 'DIR', line: 'serves a recording: played once, and as history to those who ask for it' },
  source: { value: 'NAME', line: 'which source of the recording' },
  speed: { value: '1|10|max', line: 'how fast a recording is played; 1 unless told' },
  once: { line: 'ends when the recording was played' },
  host: { value: 'HOST', line: 'the address; 127.0.0.1 unless told' },
  port: { value: 'PORT', line: 'the port; 7165 unless told, 0 for a free one' },
  to: { value: 'sttp://HOST:PORT', line: 'connects to a subscriber that listens, in place of listening' },
  'udp-bytes': {
    value: 'N',
    line: 'bytes of a datagram at most; 32764 unless told, 1452 fits into an Ethernet packet',
  },
  'udp-encryption': {
    value: 'tls|always|never',
    line: 'whether datagrams are encrypted; for those who are secured unless told',
  },
  signals: { value: 'N', line: 'signals; 200 unless told' },
  ...courseOptions('frames', 30),
  policy: { value: 'POLICY', line: 'for slow subscribers: drop-oldest (default), block, disconnect' },
  'max-connections': { value: 'N', line: 'subscribers at most; no limit unless told' },
  'queue-bytes': { value: 'N', line: 'bytes that may wait for one subscriber; 16777216 unless told' },
  'nan-filter': { value: 'allow|force|refuse', line: 'whether NaN values are left out; for those who ask unless told' },
  'no-metadata': { line: 'gives no metadata' },
  'no-base-times': { line: 'compact times are sent in full' },
  permit: { value: 'EXPR', line: 'signals that subscribers may have, as a filter; all unless told' },
  'buffer-block': { value: 'BYTES', line: 'a block of so many bytes of each signal too, every second' },
  'wait-subscriber': { line: 'begins with the first subscription' },
  tls: { line: 'secures the connection' },
  cert: { value: 'FILE', line: 'the certificate, PEM' },
  key: { value: 'FILE', line: 'its private key, PEM' },
  ca: { value: 'FILE', line: "demands clients' certificates of this authority, PEM" },
  fingerprint: { value: 'SHA256', line: "demands the client's certificate of this fingerprint" },
} as const

/** How long a subscriber may take to listen, ms. */
const REVERSE_WAIT = 30_000

/** Rows of one block under `--rate max`. */
const ROWS = 65_536

/** Serves synthetic signals until it is closed, or `--frames` are out. */
export async function serve(
  options: ReadonlyMap<string, string | true>,
  session: SessionOptions = {},
): Promise<Publisher & { readonly port: number }> {
  const values = new OptionValues<keyof typeof serveOptions>(options, (text) =>
    sttpError('ERR_STTP_OPTION_INVALID', text),
  )
  const { times, ...course } = courseOf(values, 30)
  const waits = values.has('wait-subscriber')
  const speed = values.text('speed') === 'max' ? 'max' : values.number('speed', 0.001, 1)
  const isHurried = course.isMax || waits || speed === 'max'
  const directory = values.text('from')
  const recording = directory === undefined ? undefined : await ServedRecording.open(directory, values.text('source'))
  const signals = values.whole('signals', 1, 200)
  const synthetic = new Synthetic({ signals, ...times })
  const permit = values.text('permit')
  const permitted = new Set<string>()
  const publisher = new Publisher({
    ...session,
    ...publisherOptions(values, isHurried),
    ...(permit === undefined ? {} : { permit: (_, { name }) => permitted.has(name) }),
  })
  if (recording === undefined) publisher.defineMetadata(synthetic.metadata())
  else recording.describe(publisher)
  if (permit !== undefined) {
    for (const { pointTag } of publisher.filterMetadata(permit)) permitted.add(pointTag ?? '')
  }
  const blockBytes = values.whole('buffer-block', 0)
  if (blockBytes !== undefined) sendBlocks(publisher, signals, blockBytes)
  const endpoint = { host: values.text('host', '127.0.0.1'), port: values.whole('port', 0, 7165) }
  const tls = values.has('tls') ? { tls: tlsOf(values) } : {}
  const to = values.text('to')
  const port = to === undefined ? (await publisher.start({ ...endpoint, ...tls }))[1] : 0
  if (to !== undefined) await publisher.connect(to, { ...tls, wait: REVERSE_WAIT })
  const served =
    recording === undefined
      ? run(publisher, synthetic, { ...course, waits, clock: session.clock ?? systemClock })
      : play(publisher, recording, { speed, waits, isOnce: values.has('once') })
  void served.catch((error: Error) => {
    publisher.status.emit('source-failed', describeError(error))
    return publisher.close()
  })
  return Object.assign(publisher, { port })
}

type Values = OptionValues<keyof typeof serveOptions>

function publisherOptions(values: Values, isHurried: boolean): PublisherOptions {
  const [connections, queueBytes] = [values.whole('max-connections', 0), values.whole('queue-bytes', 65_536)]
  const datagramBytes = values.whole('udp-bytes', 60)
  const nanFilter = values.choice('nan-filter', ['allow', 'force', 'refuse'], 'allow')
  return {
    policy: values.choice('policy', ['block', 'drop-oldest', 'disconnect'], isHurried ? 'block' : 'drop-oldest'),
    ...(connections === undefined ? {} : { maximumAllowedConnections: connections }),
    ...(queueBytes === undefined ? {} : { queueBytes }),
    dataChannel: {
      ...(datagramBytes === undefined ? {} : { datagramBytes }),
      encryption: values.choice('udp-encryption', ['tls', 'always', 'never'], 'tls'),
    },
    isNaNValueFilterAllowed: nanFilter !== 'refuse',
    isNaNValueFilterForced: nanFilter === 'force',
    isMetadataRefreshAllowed: !values.has('no-metadata'),
    useBaseTimeOffsets: !values.has('no-base-times'),
  }
}

async function run(
  publisher: Publisher,
  synthetic: Synthetic,
  { frames, isMax, waits, clock }: Omit<Course, 'times'> & { readonly waits: boolean; readonly clock: Clock },
): Promise<void> {
  if (waits) await subscribed(publisher)
  const rows = synthetic.rows(publisher.signals)
  const most = Math.max(1, Math.floor(ROWS / rows.length))
  const block = synthetic.block(most, rows)
  const publish = (first: number, count: number): boolean => {
    synthetic.fill(block, first, count)
    return publisher.publish(new MeasurementBatch(block, publisher.signals, 'f32'))
  }
  if (isMax) {
    for (let first = 0; first < frames && publisher.state !== 'closed'; ) {
      const count = Math.min(most, frames - first)
      if (!publish(first, count)) await publisher.ready()
      first += count
      // Sockets are written and read between two turns.
      await new Promise((resolve) => setImmediate(resolve))
    }
    await publisher.drain()
    return
  }
  const pacer = new Pacer(clock, synthetic.times.rate, (first, count) => {
    for (let done = 0; done < count; done += most) publish(first + done, Math.min(most, count - done))
    if (first + count >= frames) void publisher.drain()
  })
  pacer.start(frames)
  await publisher.closed
  pacer.stop()
}

/** Plays a recording; then it is still served as history, unless it is to be the end. */
async function play(
  publisher: Publisher,
  recording: ServedRecording,
  { speed, waits, isOnce }: { readonly speed: Speed; readonly waits: boolean; readonly isOnce: boolean },
): Promise<void> {
  if (waits) await subscribed(publisher)
  await recording.play(publisher, speed)
  publisher.complete('The recording was played.')
  if (isOnce) await publisher.drain()
}

/** Every second a block of each signal: byte j of block n of signal k is (31*n + 7*j + k) mod 256. */
function sendBlocks(publisher: Publisher, signals: number, bytes: number): void {
  let n = 0
  const turn = (): void => {
    if (publisher.state === 'closed') return
    for (let k = 0; k < signals; k++) {
      const block = Uint8Array.from({ length: bytes }, (_, j) => (31 * n + 7 * j + k) % 256)
      publisher.broadcastBufferBlock(syntheticId(k), block)
    }
    n++
    timer = systemClock.after(1000, turn)
  }
  let timer = systemClock.after(1000, turn)
  void publisher.closed.then(() => timer.cancel())
}

/** Resolves with the first subscription, or at the end. */
async function subscribed(publisher: Publisher): Promise<void> {
  for await (const { state } of publisher.status) if (state === 'peer-subscribed') return
}

function tlsOf(values: Values): TlsOptions {
  const tls = values.tlsFiles()
  // Who connects need not say who it is; who listens must.
  if (!values.has('to') && (tls.cert === undefined || tls.key === undefined)) {
    throw sttpError('ERR_STTP_OPTION_INVALID', '--tls needs --cert and --key')
  }
  const fingerprint = values.text('fingerprint')
  return {
    ...tls,
    verify: values.has('to') || tls.ca !== undefined,
    ...(fingerprint === undefined ? {} : { fingerprint }),
  }
}
