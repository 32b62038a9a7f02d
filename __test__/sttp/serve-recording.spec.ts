import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { auditRecording } from '../../ts/store/audit.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Synthetic } from '../../ts/sttp/synthetic.js'
import { recordingOf } from '../cli/recording.js'
import { measurand } from '../cli/streams.js'
import { query, temporary } from '../store/temporary.js'
import { Relay } from './relay.js'

const SIGNALS = 8
const FRAMES = 400
const RATE = 100
const ROWS = SIGNALS * FRAMES

/** A recording of 4 s of 8 signals. */
async function recorded(t: ExecutionContext): Promise<string> {
  const publisher = new Publisher({ policy: 'block' })
  const synthetic = new Synthetic({ signals: SIGNALS, rate: RATE })
  publisher.defineMetadata(synthetic.metadata())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  const out = join(await temporary(t), 'recording')
  const recording = measurand(['record', `sttp://127.0.0.1:${port}`, '--out', out, '--limit', String(ROWS)])
  for await (const { state } of publisher.status) if (state === 'peer-subscribed') break
  for (let n = 0; n < FRAMES; n++) publisher.publish(synthetic.batch(n, 1, publisher.signals))
  const { code, stderr } = await recording
  t.is(code, 0, stderr)
  await publisher.close()
  return out
}

/** `measurand serve sttp` in a process of its own; gives its port. */
async function served(t: ExecutionContext, ...args: string[]): Promise<number> {
  const child = command('serve', 'sttp', '--port', '0', '--json', ...args)
  t.teardown(() => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const { event, port } = JSON.parse(line) as { event: string; port: number }
    if (event === 'serving') return port
  }
  throw new Error('it ended before it served')
}

function command(...args: string[]): ChildProcess {
  const root = join(import.meta.dirname, '..', '..')
  const main = join(root, 'ts', 'cli', 'main.ts')
  return spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

const replayOf = async (directory: string) => (await auditRecording(directory)).sources[0]?.replay

test('a link that is cut in the middle: what was missed is fetched back, and every row is in the files once', async (t) => {
  const from = await recorded(t)
  const relay = await Relay.to(await served(t, '--from', from, '--wait-subscriber'))
  t.teardown(() => relay.close())
  const out = join(await temporary(t), 'out')
  const recorder = command('record', `sttp://127.0.0.1:${relay.port}`, '--out', out, '--json')
  t.teardown(() => recorder.kill('SIGKILL'))
  const events: Record<string, unknown>[] = []
  for await (const line of createInterface({ input: recorder.stdout as NodeJS.ReadableStream })) {
    const event = JSON.parse(line) as Record<string, unknown>
    events.push(event)
    if (event['state'] !== 'connected' || relay.connections > 1) continue
    // In the middle of what is played in 4 s.
    setTimeout(() => {
      relay.isUp = false
      relay.cut()
      setTimeout(() => {
        relay.isUp = true
      }, 300)
    }, 1200)
  }
  if (recorder.exitCode === null) await once(recorder, 'exit')
  t.is(recorder.exitCode, 0)
  const states = events.map(({ state }) => state)
  t.true(states.includes('reconnecting') && states.includes('recovered'), states.join())
  const summary = events.at(-1) as { received: number; stored: number; lost: { count: number; recovered: number }[] }
  t.is(summary.stored, ROWS)
  t.is(summary.lost.length, 1)
  const [gap] = summary.lost
  t.true((gap?.count ?? 0) > RATE * SIGNALS * 0.2)
  t.is(gap?.recovered ?? -1, gap?.count ?? -2)

  const files = join(out, '*/measurement/*.parquet')
  const signals = join(out, '*/signal.parquet')
  const [rows] = await query(`
    SELECT count(*) AS rows, count(DISTINCT (k, n)) AS distinct_rows,
           count(*) FILTER (value <> 1000 * k + 0.25 * n OR flags <> 0) AS wrong
    FROM (SELECT (epoch_ns(m.time) - 1704067200000000000) // 10000000 AS n,
                 CAST(substr(s.name, 6) AS INT) AS k, m.value, m.flags
          FROM '${files}' m JOIN '${signals}' s ON m.signal = s.id)`)
  t.deepEqual(rows as unknown, { rows: BigInt(ROWS), distinct_rows: BigInt(ROWS), wrong: 0n })
  const [losses] = await query(`SELECT count, recovered FROM '${join(out, '*/loss.parquet')}'`)
  t.deepEqual(losses as unknown, { count: BigInt(gap?.count ?? 0), recovered: BigInt(gap?.count ?? 0) })
  t.true((await auditRecording(out)).isSound)
})

test('a recording is served as history, bit for bit, and in parts', async (t) => {
  const from = await recorded(t)
  const port = await served(t, '--from', from, '--speed', 'max')
  const folder = await temporary(t)
  const whole = join(folder, 'whole')
  const all = await measurand(['record', `sttp://127.0.0.1:${port}?start=1970-01-01`, '--out', whole])
  t.is(all.code, 0, all.stderr)
  t.is(await replayOf(whole), await replayOf(from))

  const part = join(folder, 'part')
  const limits =
    'start=2024-01-01T00:00:01Z&stop=2024-01-01T00:00:01.99Z&filter=FILTER TOP 3 ActiveMeasurements WHERE True'
  const some = await measurand(['record', `sttp://127.0.0.1:${port}?${limits}`, '--out', part, '--json'])
  t.is(some.code, 0, some.stderr)
  t.like(some.lines.at(-1), { received: 100 * 3, stored: 100 * 3, lost: [] })

  // The recording is over: `*` is its end.
  const last = await measurand(['tail', `sttp://127.0.0.1:${port}?start=*-0.05s&stop=*`, '--json'])
  t.is(last.lines.filter(({ event }) => event === 'measurement').length, 6 * SIGNALS, last.stderr)
})

test('a recording is played to those who subscribe, and its end is told', async (t) => {
  const from = await recorded(t)
  const out = join(await temporary(t), 'out')
  const port = await served(t, '--from', from, '--speed', '10', '--wait-subscriber', '--once')
  const { code, stderr } = await measurand(['record', `sttp://127.0.0.1:${port}?encoding=compact`, '--out', out])
  t.is(code, 0, stderr)
  t.is(await replayOf(out), await replayOf(from))
})

test('a recording of another system has ids and metadata made for it', async (t) => {
  const from = await recordingOf(t, 500)
  const port = await served(t, '--from', from, '--speed', 'max')
  const { code, lines, stderr } = await measurand(['tail', `sttp://127.0.0.1:${port}?start=1970-01-01`, '--json'])
  t.is(code, 0, stderr)
  const rows = lines.filter(({ event }) => event === 'measurement')
  t.is(rows.length, 500)
  t.like(rows[7], { value: 7, name: 'Cz' })
  t.regex(String(rows[0]?.['id']), /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('which recording, and how fast', async (t) => {
  const two = await recordingOf(t, 5, 5)
  const which = await measurand(['serve', 'sttp', '--from', two, '--port', '0'])
  t.is(which.code, 1)
  t.regex(which.stderr, /which source/)
  const slow = await measurand(['serve', 'sttp', '--from', two, '--port', '0', '--speed', 'slow'])
  t.is(slow.code, 1)
})
