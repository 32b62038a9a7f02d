import { Pacer, type SessionOptions, systemClock } from '../session/index.js'
import { TiAConnectionHandler } from './connection-handler.js'
import { tiaError } from './error-codes.js'
import { TiAServer } from './server.js'
import { TiASignalConfig } from './signal-config.js'
import { type Dialect, signalTypeOf } from './signal-type.js'

/** The options of `measurand serve tia`. */
export const serveOptions = {
  host: { value: 'HOST', line: 'the address; 127.0.0.1 unless told' },
  port: { value: 'PORT', line: 'the control port; 9000 unless told, 0 for a free one' },
  signals: { value: 'N', line: 'channels of the signal; 64 unless told' },
  block: { value: 'N', line: 'samples per channel and packet; 8 unless told' },
  rate: { value: 'HZ|max', line: 'samples per second of a channel; 512 unless told' },
  nominal: { value: 'HZ', line: 'the rate that times have under --rate max; 30 unless told' },
  type: { value: 'TYPE', line: 'type of the signal; eeg unless told' },
  frames: { value: 'N', line: 'ends after N samples of each channel' },
  policy: { value: 'POLICY', line: 'for slow clients: drop-oldest (default), block, disconnect' },
  dialect: { value: 'DIALECT', line: 'names of types: pytia (default), libtia, pytiaclient' },
  'udp-port': { value: 'PORT', line: 'where datagrams are sent to; 9998 unless told' },
  broadcast: { value: 'ADDRESS', line: "datagrams go to this broadcast address instead of each client's own" },
  'wait-subscriber': { line: 'begins with the first client that starts a stream' },
} as const

/** Packets of one push under `--rate max`: about 256 KiB. */
const BYTES = 256 * 1024

/** Serves the synthetic signal: channel k, sample n is `1000*(k mod 4000) + 0.25*(n mod 4000)`. */
export async function serve(
  options: ReadonlyMap<string, string | true>,
  session: SessionOptions = {},
): Promise<TiAServer> {
  const text = (name: keyof typeof serveOptions, otherwise: string): string => String(options.get(name) ?? otherwise)
  const count = (name: keyof typeof serveOptions, otherwise: string, least = 1): number => {
    const number = Number(text(name, otherwise))
    if (Number.isInteger(number) && number >= least) return number
    throw tiaError(
      'ERR_TIA_OPTION_INVALID',
      `--${name} takes a whole number from ${least}, not ${text(name, otherwise)}`,
    )
  }
  const [channels, blocksize] = [count('signals', '64'), count('block', '8')]
  const isMax = options.get('rate') === 'max'
  const rate = Number(isMax ? text('nominal', '30') : text('rate', '512'))
  if (!(rate > 0) || !Number.isFinite(rate)) throw tiaError('ERR_TIA_OPTION_INVALID', `--rate cannot be ${rate}`)
  const frames = options.has('frames') ? count('frames', '') : Number.POSITIVE_INFINITY
  if (Number.isFinite(frames) && frames % blocksize !== 0) {
    throw tiaError('ERR_TIA_OPTION_INVALID', `--frames has to be a multiple of --block, ${blocksize}`)
  }
  const policy = text('policy', isMax || options.has('wait-subscriber') ? 'block' : 'drop-oldest')
  if (policy !== 'block' && policy !== 'drop-oldest' && policy !== 'disconnect') {
    throw tiaError('ERR_TIA_OPTION_INVALID', `--policy takes block, drop-oldest or disconnect, not ${policy}`)
  }
  const broadcast = options.get('broadcast') as string | undefined
  const server = new TiAServer([text('host', '127.0.0.1'), count('port', '9000', 0)], TiAConnectionHandler, {
    ...session,
    policy,
    dialect: text('dialect', 'pytia') as Dialect,
    udp: { port: count('udp-port', '9998'), ...(broadcast === undefined ? {} : { broadcast }) },
  })
  const sigtype = signalTypeOf(text('type', 'eeg'))
  const signal = new TiASignalConfig({ channels, sampleRate: rate, blocksize, id: 'synthetic', sigtype })
  await server.start([signal])
  void run(server, signal, { packets: frames / blocksize, isMax, waits: options.has('wait-subscriber') }).catch(
    () => {}, // the server is closed
  )
  return server
}

async function run(
  server: TiAServer,
  signal: TiASignalConfig,
  { packets, isMax, waits }: { packets: number; isMax: boolean; waits: boolean },
): Promise<void> {
  if (waits) await untilReceived(server)
  const push = (first: number, count: number): boolean => {
    const { samples, times } = synthetic(signal, first, count)
    return server.push(signal, samples, times)
  }
  if (!isMax) {
    const pacer = new Pacer(systemClock, signal.sampleRate / signal.blocksize, (first, count) => {
      if (server.state === 'closed') return pacer.stop()
      push(first, count)
      if (first + count >= packets) void server.drain()
    })
    pacer.start(packets)
    void server.closed.then(() => pacer.stop())
    return
  }
  const most = Math.max(1, Math.floor(BYTES / (4 * signal.samples)))
  for (let first = 0; first < packets && server.state !== 'closed'; ) {
    const count = Math.min(most, packets - first)
    if (!push(first, count)) await server.ready()
    first += count
    // Without a client nothing would ever wait.
    await new Promise((resolve) => setImmediate(resolve))
  }
  await server.drain()
}

/** Samples and header times of packets: the time of the last sample of each, cut to us. */
export function synthetic(
  { channels, blocksize, sampleRate, samples: size }: TiASignalConfig,
  first: number,
  count: number,
): { samples: Float32Array; times: Float64Array } {
  const samples = new Float32Array(count * size)
  const times = new Float64Array(count)
  let at = 0
  for (let packet = first; packet < first + count; packet++) {
    for (let channel = 0; channel < channels; channel++) {
      const base = 1000 * (channel % 4000)
      for (let j = 0; j < blocksize; j++) samples[at++] = base + 0.25 * ((packet * blocksize + j) % 4000)
    }
    const last = (packet + 1) * blocksize - 1
    times[packet - first] = Math.floor(Math.floor((last * 1e9) / sampleRate) / 1000)
  }
  return { samples, times }
}

async function untilReceived(server: TiAServer): Promise<void> {
  while (server.receivers === 0 && server.state !== 'closed') {
    await new Promise<void>((resolve) => setTimeout(resolve, 5))
  }
}
