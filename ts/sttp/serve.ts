import { readFileSync } from 'node:fs'
import { MeasurementBatch } from '../batch/index.js'
import {
  describeError,
  Pacer,
  type Policy,
  type SessionOptions,
  systemClock,
  type TlsOptions,
} from '../session/index.js'
import { sttpError } from './error-codes.js'
import { Publisher } from './publisher.js'
import { ServedRecording, type Speed } from './serve-recording.js'
import { SYNTHETIC_T0, Synthetic, syntheticId } from './synthetic.js'

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
  rate: { value: 'HZ|max', line: 'frames per second; 30 unless told' },
  nominal: { value: 'HZ', line: 'the rate that times have under --rate max; 30 unless told' },
  period: { value: 'NS', line: 'ns between frames, in place of --rate' },
  t0: { value: 'NS', line: 'time of the first frame, ns since 1970-01-01 UTC; 2024-01-01 unless told' },
  frames: { value: 'N', line: 'ends after N frames' },
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
  const text = (name: keyof typeof serveOptions, otherwise: string): string => String(options.get(name) ?? otherwise)
  const number = (name: keyof typeof serveOptions, otherwise: string, least: number): number => {
    const value = Number(text(name, otherwise))
    if (Number.isFinite(value) && value >= least) return value
    throw sttpError('ERR_STTP_OPTION_INVALID', `--${name} takes a number from ${least}, not ${text(name, otherwise)}`)
  }
  const whole = (name: keyof typeof serveOptions, otherwise: string, least: number): number => {
    const value = number(name, otherwise, least)
    if (Number.isInteger(value)) return value
    throw sttpError('ERR_STTP_OPTION_INVALID', `--${name} takes a whole number, not ${text(name, otherwise)}`)
  }
  const isMax = options.get('rate') === 'max'
  const periodNs = options.has('period') ? BigInt(whole('period', '', 100)) : undefined
  const nominal = isMax ? number('nominal', '30', 0.001) : number('rate', '30', 0.001)
  const rate = periodNs === undefined ? nominal : 1e9 / Number(periodNs)
  const frames = options.has('frames') ? whole('frames', '', 1) : Number.POSITIVE_INFINITY
  const waits = options.has('wait-subscriber')
  const policy = text('policy', isMax || waits || options.get('speed') === 'max' ? 'block' : 'drop-oldest')
  if (policy !== 'block' && policy !== 'drop-oldest' && policy !== 'disconnect') {
    throw sttpError('ERR_STTP_OPTION_INVALID', `--policy takes block, drop-oldest or disconnect, not ${policy}`)
  }
  const t0 = BigInt(text('t0', String(SYNTHETIC_T0)))
  const directory = options.get('from')
  const recording =
    typeof directory === 'string'
      ? await ServedRecording.open(directory, options.get('source') as string | undefined)
      : undefined
  const speed = text('speed', '1') === 'max' ? 'max' : number('speed', '1', 0.001)
  const synthetic = new Synthetic({
    signals: whole('signals', '200', 1),
    rate,
    t0,
    ...(periodNs === undefined ? {} : { periodNs }),
  })
  const nanFilter = text('nan-filter', 'allow')
  if (nanFilter !== 'allow' && nanFilter !== 'force' && nanFilter !== 'refuse') {
    throw sttpError('ERR_STTP_OPTION_INVALID', `--nan-filter takes allow, force or refuse, not ${nanFilter}`)
  }
  const encryption = text('udp-encryption', 'tls')
  if (!['tls', 'always', 'never'].includes(encryption)) {
    throw sttpError('ERR_STTP_OPTION_INVALID', `--udp-encryption takes tls, always or never, not ${encryption}`)
  }
  const permitted = new Set<string>()
  const publisher = new Publisher({
    ...session,
    policy: policy as Policy,
    ...(options.has('max-connections') ? { maximumAllowedConnections: whole('max-connections', '', 0) } : {}),
    ...(options.has('queue-bytes') ? { queueBytes: whole('queue-bytes', '', 65_536) } : {}),
    dataChannel: {
      ...(options.has('udp-bytes') ? { datagramBytes: whole('udp-bytes', '', 60) } : {}),
      encryption: encryption as 'tls' | 'always' | 'never',
    },
    isNaNValueFilterAllowed: nanFilter !== 'refuse',
    isNaNValueFilterForced: nanFilter === 'force',
    isMetadataRefreshAllowed: !options.has('no-metadata'),
    useBaseTimeOffsets: !options.has('no-base-times'),
    ...(options.has('permit') ? { permit: (_, { name }) => permitted.has(name) } : {}),
  })
  if (recording === undefined) publisher.defineMetadata(synthetic.metadata())
  else recording.describe(publisher)
  if (options.has('permit')) {
    for (const { pointTag } of publisher.filterMetadata(text('permit', ''))) permitted.add(pointTag ?? '')
  }
  if (options.has('buffer-block')) sendBlocks(publisher, whole('signals', '200', 1), whole('buffer-block', '', 0))
  const endpoint = { host: text('host', '127.0.0.1'), port: whole('port', '7165', 0) }
  const tls = options.has('tls') ? { tls: tlsOf(options) } : {}
  const to = options.get('to')
  const port = typeof to === 'string' ? 0 : (await publisher.start({ ...endpoint, ...tls }))[1]
  if (typeof to === 'string') await publisher.connect(to, { ...tls, wait: REVERSE_WAIT })
  const served =
    recording === undefined
      ? run(publisher, synthetic, { frames, rate, isMax, waits })
      : play(publisher, recording, { speed, waits, isOnce: options.has('once') })
  void served.catch((error: Error) => {
    publisher.status.emit('source-failed', describeError(error))
    return publisher.close()
  })
  return Object.assign(publisher, { port })
}

interface Course {
  readonly frames: number
  readonly rate: number
  readonly isMax: boolean
  readonly waits: boolean
}

async function run(publisher: Publisher, synthetic: Synthetic, { frames, rate, isMax, waits }: Course): Promise<void> {
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
  const pacer = new Pacer(systemClock, rate, (first, count) => {
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

function tlsOf(options: ReadonlyMap<string, string | true>): TlsOptions {
  const file = (name: 'cert' | 'key' | 'ca'): { [key in typeof name]?: Uint8Array } => {
    const path = options.get(name)
    if (typeof path !== 'string') return {}
    try {
      return { [name]: readFileSync(path) }
    } catch (cause) {
      throw sttpError('ERR_STTP_OPTION_INVALID', `--${name}: ${(cause as Error).message}`, { cause })
    }
  }
  const tls = { ...file('cert'), ...file('key'), ...file('ca') }
  // Who connects need not say who it is; who listens must.
  if (!options.has('to') && (tls.cert === undefined || tls.key === undefined)) {
    throw sttpError('ERR_STTP_OPTION_INVALID', '--tls needs --cert and --key')
  }
  const fingerprint = options.get('fingerprint')
  return {
    ...tls,
    verify: options.has('to') || tls.ca !== undefined,
    ...(typeof fingerprint === 'string' ? { fingerprint } : {}),
  }
}
