import { createReadStream } from 'node:fs'
import { loadSystem, SourceUrl } from '../ingest/index.js'
import {
  CAPTURE_KIND,
  type CaptureItem,
  captureItems,
  type Replayed,
  ReplayedPeer,
  type ReplayPlace,
  sleep,
  systemClock,
  systemNetwork,
  type Transport,
} from '../session/index.js'
import { type Call, type Command, EXIT } from './command.js'
import { cliError } from './error-codes.js'
import { parseChoice } from './values.js'

/** Schemes of which only the server's end is replayed: it never asks the same twice, or answers on several connections. */
const LISTENERS: ReadonlySet<string> = new Set(['sisock', 'streamsea'])

const SPEEDS = ['1', '10', 'max'] as const

export const command: Command = {
  usage: 'FILE --raw --to URL',
  line: 'sends the bytes of a capture as they were: to a client that connects (?listen=1), or to a server',
  options: {
    raw: { line: 'byte for byte' },
    to: { value: 'URL', line: 'as sttp://127.0.0.1:7165?listen=1, which sends what had been received' },
    speed: { value: '1|10|max', line: 'how fast, by the times of the capture; 1 unless told' },
  },
  async run(call) {
    const [file, ...more] = call.args
    const to = call.options.get('to') as string | undefined
    if (file === undefined || to === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'replay FILE --raw --to URL')
    if (more.length > 0) throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', 'one capture at a time')
    if (!call.options.has('raw')) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'a capture is replayed by --raw')
    const speed = parseChoice('speed', (call.options.get('speed') as string | undefined) ?? '1', SPEEDS)
    const url = new SourceUrl(to)
    const listens = url.flag('listen')
    const place = { host: url.host, port: url.port ?? 0 }
    if (LISTENERS.has(url.scheme) && !listens) {
      throw cliError('ERR_CLI_OPTION_INVALID', `a capture of a client replays its server: ${url.scheme}://...?listen=1`)
    }
    // Only a system whose bytes can be captured has captures.
    const { redactor } = await loadSystem(url.scheme)
    if (redactor === undefined) throw cliError('ERR_CLI_OPTION_INVALID', `${url.scheme}: has no captures to replay`)
    const replay = listens ? REPLAYS[url.scheme] : undefined
    if (replay !== undefined)
      return replayTo(call, place, await replay(), paced(captureItems(bytesOf(file)), speed, call.signal))
    const transport = await transportOf(url, listens, place, call)
    const peer = new ReplayedPeer(call.signal)
    transport.start({ onChunk: (chunk) => peer.says(chunk.length), onClose: () => peer.leaves() })
    call.signal.addEventListener('abort', () => transport.close(), { once: true })
    const wanted = listens ? 'received' : 'sent'
    let [bytes, items] = [0, 0]
    /** Frames of a message that is not whole yet. */
    let frames: Uint8Array[] = []
    for await (const item of paced(captureItems(bytesOf(file)), speed, call.signal)) {
      if (item.direction !== wanted) {
        peer.expect(item.bytes.length)
        continue
      }
      frames.push(Uint8Array.from(item.bytes))
      bytes += item.bytes.length
      items++
      if (item.kind === CAPTURE_KIND.zeromqMore) continue
      await peer.caughtUp()
      await Promise.race([sent(transport, frames), peer.gone])
      frames = []
    }
    // The captured client had hung up: one that is served again is not cut off while it reads the last rows.
    if (listens) await peer.left()
    transport.end()
    await peer.left()
    return summary(call, { bytes, items })
  },
}

async function summary(call: Call, { bytes, items }: Replayed): Promise<number> {
  if (call.json) await call.out.json({ event: 'summary', bytes, items })
  else call.err.write(`replayed ${bytes.toLocaleString('en-US')} bytes in ${items.toLocaleString('en-US')} pieces\n`)
  return call.signal.aborted ? EXIT.interrupted : EXIT.done
}

/** Plays the server's end of a capture for a client. */
type ReplayCapture = (items: AsyncIterable<CaptureItem>, place: ReplayPlace) => Promise<Replayed>

/** Systems whose servers do more than to send on one connection. */
const REPLAYS: Readonly<Record<string, (() => Promise<ReplayCapture>) | undefined>> = {
  sisock: async () => (await import('../sisock/replay-capture.js')).replayCapture,
  streamsea: async () => (await import('../stream-sea/replay-capture.js')).replayCapture,
  tia: async () => (await import('../tia/replay-capture.js')).replayCapture,
}

async function replayTo(
  call: Call,
  place: { host: string; port: number },
  replayCapture: ReplayCapture,
  items: AsyncIterable<CaptureItem>,
): Promise<number> {
  const onListening = (port: number): void => void call.err.write(`listening on port ${port}\n`)
  return summary(
    call,
    await replayCapture(items, { ...place, network: systemNetwork, signal: call.signal, onListening }),
  )
}

/** What carries the bytes: a connection, or a socket of the library that carries the system's messages. */
async function transportOf(
  url: SourceUrl,
  listens: boolean,
  place: { host: string; port: number },
  { err, signal }: Call,
): Promise<Transport> {
  if (url.scheme !== 'cdtp') return listens ? accepted(place, err, signal) : systemNetwork.dial(place, signal)
  if (!listens) throw cliError('ERR_CLI_OPTION_INVALID', 'a transmitter of Constellation listens: cdtp://...?listen=1')
  const transport = await (await import('../cdtp/push-transport.js')).PushTransport.bind(place)
  err.write(`listening on port ${transport.localPort}\n`)
  return transport
}

/** The first client that connects. */
async function accepted(
  place: { host: string; port: number },
  err: { write(text: string): unknown },
  signal: AbortSignal,
): Promise<Transport> {
  let take: (transport: Transport) => void = () => {}
  const client = new Promise<Transport>((resolve, reject) => {
    take = resolve
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  const listener = await systemNetwork.listen(place, take)
  err.write(`listening on port ${listener.port}\n`)
  const transport = await client
  await listener.close()
  return transport
}

function sent(transport: Transport, frames: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve) => transport.write(frames, resolve))
}

async function* paced(
  items: AsyncIterable<CaptureItem>,
  speed: (typeof SPEEDS)[number],
  signal: AbortSignal,
): AsyncGenerator<CaptureItem> {
  const start = systemClock.elapsed()
  let first: bigint | undefined
  for await (const item of items) {
    first ??= item.time
    const due = speed === 'max' ? 0 : Number(item.time - first) / 1e6 / Number(speed)
    const wait = start + due - systemClock.elapsed()
    if (wait > 1) await sleep(systemClock, wait, signal)
    yield item
  }
}

async function* bytesOf(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file)
  } catch (cause) {
    throw cliError('ERR_CLI_FILE_UNREADABLE', `${file}: ${(cause as Error).message}`, { cause })
  }
}
