import {
  courseOf,
  courseOptions,
  OptionValues,
  Pacer,
  type SessionOptions,
  type Source,
  SyntheticTimes,
  syntheticValue,
  systemClock,
} from '../session/index.js'
import { TiAConnectionHandler } from './connection-handler.js'
import { tiaError } from './error-codes.js'
import { RecordedPackets } from './serve-recording.js'
import { TiAServer, type TiAServerOptions } from './server.js'
import { TiASignalConfig } from './signal-config.js'
import { type Dialect, signalTypeOf } from './signal-type.js'

/** Header times count from the server's start, whatever the time of the first sample. */
const { t0: _, ...course } = courseOptions('samples of a channel', 512)

/** The options of `measurand serve tia`. */
export const serveOptions = {
  host: { value: 'HOST', line: 'the address; 127.0.0.1 unless told' },
  port: { value: 'PORT', line: 'the control port; 9000 unless told, 0 for a free one' },
  signals: { value: 'N', line: 'channels of the signal; 64 unless told' },
  block: { value: 'N', line: 'samples per channel and packet; 8 unless told' },
  ...course,
  type: { value: 'TYPE', line: 'type of the signal; eeg unless told' },
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
  const values = new OptionValues<keyof typeof serveOptions>(options, (text) =>
    tiaError('ERR_TIA_OPTION_INVALID', text),
  )
  const [channels, blocksize] = [values.whole('signals', 1, 64), values.whole('block', 1, 8)]
  const { times: timesOptions, frames, isMax } = courseOf(values, 512)
  if (Number.isFinite(frames) && frames % blocksize !== 0) {
    throw tiaError('ERR_TIA_OPTION_INVALID', `--frames has to be a multiple of --block, ${blocksize}`)
  }
  const speed = values.choice('speed', ['1', '10', 'max'], '1')
  const waits = values.has('wait-subscriber')
  const isHurried = isMax || waits || speed === 'max'
  const broadcast = values.text('broadcast')
  const address = [values.text('host', '127.0.0.1'), values.whole('port', 0, 9000)] as const
  const serverOptions: TiAServerOptions = {
    ...session,
    policy: values.choice('policy', ['block', 'drop-oldest', 'disconnect'], isHurried ? 'block' : 'drop-oldest'),
    dialect: values.text('dialect', 'pytia') as Dialect,
    udp: { port: values.whole('udp-port', 1, 9998), ...(broadcast === undefined ? {} : { broadcast }) },
  }
  const from = values.text('from')
  if (from !== undefined) {
    if (inputs === undefined) throw tiaError('ERR_TIA_OPTION_INVALID', '--from is for the command line')
    const name = values.text('source')
    const place = encodeURI(from)
    const source = await inputs.open(name === undefined ? `file:${place}` : `file:${place}?source=${name}`)
    const rate = speed === 'max' ? Number.POSITIVE_INFINITY : Number(speed)
    return serveRecording(new TiAServer(address, TiAConnectionHandler, serverOptions), source, { speed: rate, waits })
  }
  const server = new TiAServer(address, TiAConnectionHandler, serverOptions)
  const sigtype = signalTypeOf(values.text('type', 'eeg'))
  const times = new SyntheticTimes(timesOptions)
  const signal = new TiASignalConfig({ channels, sampleRate: times.rate, blocksize, id: 'synthetic', sigtype })
  await server.start([signal])
  void run(server, signal, times, { packets: frames / blocksize, isMax, waits }).catch(
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
  times: SyntheticTimes,
  { packets, isMax, waits }: { packets: number; isMax: boolean; waits: boolean },
): Promise<void> {
  if (waits) await untilReceived(server)
  const push = (first: number, count: number): boolean => {
    const packets = synthetic(signal, times, first, count)
    return server.push(signal, packets.samples, packets.times)
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
  { channels, blocksize, samples: size }: TiASignalConfig,
  sampleTimes: SyntheticTimes,
  first: number,
  count: number,
): { samples: Float32Array; times: Float64Array } {
  const samples = new Float32Array(count * size)
  const times = new Float64Array(count)
  let at = 0
  for (let packet = first; packet < first + count; packet++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let j = 0; j < blocksize; j++) samples[at++] = syntheticValue(channel, packet * blocksize + j)
    }
    times[packet - first] = Math.floor(sampleTimes.since((packet + 1) * blocksize - 1) / 1000)
  }
  return { samples, times }
}

async function untilReceived(server: TiAServer): Promise<void> {
  while (server.receivers === 0 && server.state !== 'closed') {
    await new Promise<void>((resolve) => setTimeout(resolve, 5))
  }
}
