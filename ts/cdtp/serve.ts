import { sleep, systemClock, type Timer } from '../session/clock.js'
import { OptionValues } from '../session/option-values.js'
import type { SessionOptions } from '../session/session.js'
import { SYNTHETIC_T0 } from '../session/synthetic.js'
import { DataTransmitter } from './data-transmitter.js'
import { cdtpError } from './error-codes.js'
import { conditionName, RunCondition } from './run-condition.js'
import { type ServingOptions, serveRecording } from './serve-recording.js'
import { TransmitterState } from './transmitter-state.js'
import { timestampOf } from './value.js'

/** A synthetic transmitter, from whose formula any receiver can check every byte. */
export interface SyntheticOptions extends ServingOptions {
  /** Records of the run; without, it goes on until the signal. */
  readonly frames?: number
  /** Records a second; as fast as the receiver takes them unless told. */
  readonly rate?: number
  /** Bytes of the one block of each record; 64 unless told. */
  readonly size?: number
  /** ns since 1970-01-01 UTC. */
  readonly t0?: bigint
}

/** Records between two looks at the clock. */
const BURST = 64
/** How long a receiver has for the rest of a run that is ended, ms. */
const DRAIN_MS = 5000

/**
 * Serves one run of synthetic records: sender `Synthetic.One`, run `run_1`; record s has one block of which byte j is
 * (31 s + 7 j) mod 256, and the tags `{ n: s }`. BOR when a receiver connects, EOR after the last record.
 *
 * @returns the records sent
 */
export async function serveSynthetic(options: SyntheticOptions = {}): Promise<bigint> {
  const { host = '127.0.0.1', port = 50_101, frames = Number.POSITIVE_INFINITY, rate, size = 64, signal } = options
  const clock = options.clock ?? systemClock
  const t0 = options.t0 ?? SYNTHETIC_T0
  const endpoint = `tcp://${host}:${port === 0 ? '*' : port}`
  const transmitter = await DataTransmitter.bind({ name: 'Synthetic.One', endpoint, clock })
  if (options.onStatus !== undefined) transmitter.status.on(options.onStatus)
  // Before a receiver has come there is no run to end; one that has gone does not take the end of its run.
  const stop = (): void => {
    if (transmitter.state === TransmitterState.NOT_CONNECTED) void transmitter.close()
    else closing = clock.after(DRAIN_MS, () => void transmitter.close())
  }
  let closing: Timer | undefined
  signal?.addEventListener('abort', stop, { once: true })
  try {
    options.onListening?.(transmitter.port)
    const run = { run_id: 'run_1', time_start: timestampOf(t0) }
    await transmitter.sendBor(run, { size, ...(rate === undefined ? {} : { rate }) })
    transmitter.startSending()
    const start = clock.elapsed()
    const ramp = Buffer.from(Array.from({ length: size + 256 }, (_, j) => (7 * j) & 0xff))
    for (let s = 1; s <= frames && !signal?.aborted; s++) {
      const record = transmitter.newDataRecord({ n: s })
      // 7 j = 31 s mod 256 has a solution j, as 7 is odd: the block is a piece of the ramp.
      const from = (31 * s * 183) & 0xff
      record.addBlock(ramp.subarray(from, from + size))
      await transmitter.sendDataRecord(record)
      if (rate === undefined || s % Math.min(BURST, Math.ceil(rate / 100)) !== 0) continue
      const due = start + (s * 1000) / rate
      if (due > clock.elapsed()) await sleep(clock, due - clock.elapsed())
    }
    await transmitter.stopSending()
    const condition = signal?.aborted ? RunCondition.INTERRUPTED : RunCondition.GOOD
    await transmitter.sendEor(
      {},
      {
        ...run,
        time_end: timestampOf(clock.now()),
        license: 'ODC-By-1.0',
        condition_code: condition,
        condition: conditionName(condition),
        data_records: transmitter.sequenceNumber,
      },
    )
    return transmitter.recordsTransmitted
  } catch (error) {
    if (signal?.aborted) return transmitter.recordsTransmitted
    throw error
  } finally {
    signal?.removeEventListener('abort', stop)
    closing?.cancel()
    await transmitter.close()
  }
}

/** The options of `measurand serve cdtp`. */
export const serveOptions = {
  host: { value: 'HOST', line: 'the address; 127.0.0.1 unless told' },
  port: { value: 'PORT', line: 'the port; 50101 unless told, 0 for a free one' },
  frames: { value: 'N', line: 'records of the run; it goes on for ever unless told' },
  rate: { value: 'HZ|max', line: 'records per second; max unless told' },
  size: { value: 'BYTES', line: "bytes of each record's block; 64 unless told" },
  from: { value: 'DIR', line: 'the runs of a recording instead of a synthetic one' },
  source: { value: 'NAME', line: 'which source of the recording, where it has several' },
  speed: { value: '1|10|max', line: 'how fast a recording is served, by the times of receipt; max unless told' },
  'wait-subscriber': { line: 'begins with the first receiver, as it always does: ZeroMQ takes nothing for nobody' },
  t0: { value: 'NS', line: "the run's begin, ns since 1970-01-01 UTC; 2024-01-01 unless told" },
} as const

/** Serves one synthetic run or those of a recording, until it has ended or is drained. */
export async function serve(
  options: ReadonlyMap<string, string | true>,
  session: SessionOptions = {},
): Promise<{ readonly port: number; readonly closed: Promise<Error | undefined>; drain(): Promise<void> }> {
  const values: Values = new OptionValues(options, (text) => cdtpError('ERR_CDTP_OPTION_INVALID', text))
  const ending = new AbortController()
  let sent: Promise<bigint> = Promise.resolve(0n)
  const port = await new Promise<number>((resolve, reject) => {
    const { clock, onStatus } = session
    const common = { signal: ending.signal, onListening: resolve, ...placeOf(values) }
    const base = {
      ...common,
      ...(clock === undefined ? {} : { clock }),
      ...(onStatus === undefined ? {} : { onStatus }),
    }
    const from = values.text('from')
    sent =
      from === undefined
        ? serveSynthetic({ ...base, ...syntheticOf(values) })
        : serveRecording({ ...base, directory: from, ...recordingOf(values) })
    sent.catch(reject)
  })
  const closed = sent.then(
    () => undefined,
    (error: Error) => error,
  )
  const drain = async (): Promise<void> => {
    ending.abort()
    await closed
  }
  return { port, closed, drain }
}

type Values = OptionValues<keyof typeof serveOptions>

function placeOf(values: Values): { host?: string; port?: number } {
  const [host, port] = [values.text('host'), values.whole('port', 0)]
  return { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) }
}

function syntheticOf(values: Values): SyntheticOptions {
  const rate = values.text('rate') === 'max' ? undefined : values.whole('rate', 1)
  const [frames, size, t0] = [values.whole('frames', 1), values.whole('size', 0), values.integer('t0')]
  return {
    ...(frames === undefined ? {} : { frames }),
    ...(rate === undefined ? {} : { rate }),
    ...(size === undefined ? {} : { size }),
    ...(t0 === undefined ? {} : { t0 }),
  }
}

function recordingOf(values: Values): { source?: string; speed?: number } {
  const [source, speed] = [values.text('source'), values.choice('speed', ['1', '10', 'max'], 'max')]
  return {
    ...(source === undefined ? {} : { source }),
    ...(speed === 'max' ? {} : { speed: Number(speed) }),
  }
}
