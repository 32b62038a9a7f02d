import { Pacer, type SessionOptions, type Source, systemClock } from '../session/index.js'
import { TiAConnectionHandler } from './connection-handler.js'
import { tiaError } from './error-codes.js'
import { RecordedPackets } from './serve-recording.js'
import { TiAServer, type TiAServerOptions } from './server.js'
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
  from: { value: 'DIR', line: 'serves a recording of TiA: its signals, samples and header times' },
  source: { value: 'NAME', line: 'the source in the recording, where it has several' },
  speed: { value: '1|10|max', line: 'how fast the recording goes; 1 unless told' },
} as const

/** Packets of one push under `--rate max`: about 256 KiB. */
const BYTES = 256 * 1024

const SPEEDS: Readonly<Record<string, number>> = { 1: 1, 10: 10, max: Number.POSITIVE_INFINITY }

/** What opens a recording. */
interface Inputs {
  open(url: string): Promise<Source>
}

/**
 * Serves the synthetic signal (channel k, sample n is `1000*(k mod 4000) + 0.25*(n mod 4000)`), or a recording.
 */
export async function serve(
  options: ReadonlyMap<string, string | true>,
  session: SessionOptions = {},
  inputs?: Inputs,
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
  const speed = SPEEDS[text('speed', '1')]
  if (speed === undefined)
    throw tiaError('ERR_TIA_OPTION_INVALID', `--speed takes 1, 10 or max, not ${text('speed', '')}`)
  const waits = options.has('wait-subscriber')
  const isHurried = isMax || waits || speed === Number.POSITIVE_INFINITY
  const policy = text('policy', isHurried ? 'block' : 'drop-oldest')
  if (policy !== 'block' && policy !== 'drop-oldest' && policy !== 'disconnect') {
    throw tiaError('ERR_TIA_OPTION_INVALID', `--policy takes block, drop-oldest or disconnect, not ${policy}`)
  }
  const broadcast = options.get('broadcast') as string | undefined
  const address = [text('host', '127.0.0.1'), count('port', '9000', 0)] as const
  const serverOptions: TiAServerOptions = {
    ...session,
    policy,
    dialect: text('dialect', 'pytia') as Dialect,
    udp: { port: count('udp-port', '9998'), ...(broadcast === undefined ? {} : { broadcast }) },
  }
  const from = options.get('from')
  if (typeof from === 'string') {
    if (inputs === undefined) throw tiaError('ERR_TIA_OPTION_INVALID', '--from is for the command line')
    const name = options.get('source')
    const place = encodeURI(from)
    const source = await inputs.open(typeof name === 'string' ? `file:${place}?source=${name}` : `file:${place}`)
    return serveRecording(new TiAServer(address, TiAConnectionHandler, serverOptions), source, { speed, waits })
  }
  const server = new TiAServer(address, TiAConnectionHandler, serverOptions)
  const sigtype = signalTypeOf(text('type', 'eeg'))
  const signal = new TiASignalConfig({ channels, sampleRate: rate, blocksize, id: 'synthetic', sigtype })
  await server.start([signal])
  void run(server, signal, { packets: frames / blocksize, isMax, waits }).catch(
    () => {}, // the server is closed
  )
  return server
}

async function serveRecording(
  server: TiAServer,
  source: Source,
  { speed, waits }: { speed: number; waits: boolean },
): Promise<TiAServer> {
  const packets = new RecordedPackets(source)
  await server.start(packets.signals, false, packets.subject ?? { id: '', firstName: '', surname: '' })
  const play = async (): Promise<void> => {
    if (waits) await untilReceived(server)
    await packets.play(server, speed)
    await server.drain()
  }
  void play()
    .catch((error: Error) => {
      server.status.emit('recording-failed', { message: error.message })
      return server.close()
    })
    .finally(() => source.close())
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
