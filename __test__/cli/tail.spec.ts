import test from 'ava'
import { publishing } from '../sttp/publishing.js'
import { recordingOf } from './recording.js'
import { measurand } from './streams.js'

test('JSON lines as the tables say, and the summary', async (t) => {
  const from = await recordingOf(t, 3)
  for (const args of [['--json'], ['--format', 'json']]) {
    const { code, lines } = await measurand(['tail', `file:${from}`, ...args])
    t.is(code, 0)
    t.deepEqual(lines[1], {
      event: 'measurement',
      source: 'bytes',
      signal: 0,
      id: 'eeg/0',
      name: 'Cz',
      time: '0',
      value: 1,
      flags: 0,
    })
    t.like(lines.at(-1), { event: 'summary', received: 3, stored: 3 })
    t.is(lines.filter(({ event }) => event === 'measurement').length, 3)
  }
})

test('text, CSV and line protocol', async (t) => {
  const from = await recordingOf(t, 2)
  const tail = async (format: string): Promise<string> =>
    (await measurand(['tail', `file:${from}`, '--format', format])).stdout
  t.is(await tail('text'), '1970-01-01T00:00:00.000000000Z  Cz  0\n1970-01-01T00:00:00.000000000Z  Cz  1\n')
  t.is(
    await tail('csv'),
    'time,signal,id,name,value,flags\n1970-01-01T00:00:00.000000000Z,0,eeg/0,Cz,0,0\n1970-01-01T00:00:00.000000000Z,0,eeg/0,Cz,1,0\n',
  )
  t.is(
    await tail('influx'),
    'measurement,source=bytes,id=eeg/0,name=Cz value=0,flags=0u 0\nmeasurement,source=bytes,id=eeg/0,name=Cz value=1,flags=0u 0\n',
  )
  t.is((await measurand(['tail', `file:${from}`, '--format', 'xml'])).code, 1)
})

test('what a session tells has its numbers named, and of what went wrong the code', async (t) => {
  const url = `sttp://127.0.0.1:${await publishing(t, { signals: 5, frames: 2 })}`
  const { stderr } = await measurand(['tail', url, '--limit', '10'])
  t.regex(stderr, /: subscribed: signals 5, unauthorized 0, cacheIndex 0\n/)
  const nobody = await measurand(['tail', 'sttp://127.0.0.1:1', '--wait', '10ms'])
  t.is(nobody.code, 2)
  t.regex(
    nobody.stderr,
    /attempt-failed: attempt 1, nobody listens at 127\.0\.0\.1:1 \(ERR_SESSION_CONNECT_REFUSED\)\n/,
  )
})

test('--limit ends it', async (t) => {
  const from = await recordingOf(t, 500)
  const { code, stdout } = await measurand(['tail', `file:${from}`, '--limit', '10'])
  t.is(code, 0)
  t.is(stdout.split('\n').length, 11)
})

test('an interrupt before it begins is 130', async (t) => {
  const from = await recordingOf(t, 5)
  t.is((await measurand(['tail', `file:${from}`], [], AbortSignal.abort())).code, 130)
})
