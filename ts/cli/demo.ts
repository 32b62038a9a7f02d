import { MeasurementBatch } from '../batch/index.js'
import { openSource, SourceUrl } from '../ingest/index.js'
import { serve } from '../sttp/serve.js'
import { Synthetic } from '../sttp/synthetic.js'
import { type Command, EXIT } from './command.js'
import { tellRecording } from './info.js'
import { record } from './record.js'
import { formatCount } from './values.js'

const SIGNALS = 200
const RATE = 30
const FRAMES = 150

export const command: Command = {
  usage: '[--out DIR]',
  line: `serves ${SIGNALS} synthetic PMU signals at ${RATE} Hz, records them for ${FRAMES / RATE} s and reads them back`,
  options: { out: { value: 'DIR', line: 'where the recording goes; recordings/demo-TIME unless told' } },
  async run(call) {
    const stamp = new Date()
      .toISOString()
      .replaceAll(/[^0-9]/g, '')
      .slice(0, 14)
    const out = (call.options.get('out') as string | undefined) ?? `recordings/demo-${stamp}`
    const publisher = await serve(
      new Map<string, string | true>([
        ['port', '0'],
        ['signals', String(SIGNALS)],
        ['rate', String(RATE)],
        ['wait-subscriber', true],
      ]),
    )
    let code: number
    try {
      const url = new SourceUrl(`sttp://127.0.0.1:${publisher.port}`)
      code = await record(
        { ...call, options: new Map(call.options).set('limit', String(SIGNALS * FRAMES)) },
        [url],
        out,
      )
    } finally {
      await publisher.close()
    }
    if (code !== EXIT.done) return code
    const wrong = await verify(out)
    const verdict =
      wrong === 0 ? 'every value and time is as it was sent' : `${formatCount(wrong)} ARE NOT AS THEY WERE SENT`
    call.err.write(`read back ${formatCount(SIGNALS * FRAMES)} measurements: ${verdict}\n`)
    if (!call.json) await tellRecording(call, out)
    return wrong === 0 ? code : EXIT.usage
  },
}

/** Reads the recording back; gives the measurements that are missing, double or not as they were sent. */
async function verify(out: string): Promise<number> {
  const synthetic = new Synthetic({ signals: SIGNALS, rate: RATE })
  const frames = new Map(Array.from({ length: FRAMES }, (_, n) => [synthetic.timeOf(n), n]))
  const seen = new Uint8Array(SIGNALS * FRAMES)
  let strange = 0
  const source = await openSource(`file:${out}`)
  const numbers = Array.from(source.signals, ({ name }) => Number(name.replace('SYN:T', '')))
  await source.consume((batch) => {
    if (!(batch instanceof MeasurementBatch)) return
    for (const { time, value, signal, flags } of batch) {
      const [k, n] = [numbers[signal] ?? -1, frames.get(time ?? -1n) ?? -1]
      const at = n * SIGNALS + k
      if (k < 0 || n < 0 || flags !== 0 || value !== 1000 * k + 0.25 * n) strange++
      else seen[at] = (seen[at] as number) + 1
    }
  })
  return strange + seen.reduce((sum, times) => sum + (times === 1 ? 0 : 1), 0)
}
