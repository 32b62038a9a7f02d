import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { StoreSink } from '../../ts/store/index.js'
import { SyntheticSource } from '../store/synthetic-source.js'
import { recordingOf, temporary } from './recording.js'
import { measurand } from './streams.js'

test('a recording is recorded again, row for row', async (t) => {
  const from = await recordingOf(t, 1000)
  const to = join(await temporary(t), 'copy')
  const { code, lines, stderr } = await measurand(['record', `file:${from}`, '--out', to, '--json'])
  t.is(code, 0, stderr)
  t.like(lines.at(-1), {
    event: 'summary',
    received: 1000,
    stored: 1000,
    filtered: 0,
    duplicate: 0,
    dropped: 0,
    failed: 0,
    lost: [],
  })
  const [before, after] = [await measurand(['tail', `file:${from}`]), await measurand(['tail', `file:${to}`])]
  t.is(after.stdout, before.stdout)
  t.is(after.stdout.split('\n').length, 1001)
  t.is((await measurand(['audit', to])).code, 0)
})

test('--limit stores exactly that many, of each source', async (t) => {
  const from = await recordingOf(t, 300, 5)
  const to = join(await temporary(t), 'copy')
  const { code, lines } = await measurand(['record', `file:${from}`, '--out', to, '--limit', '7', '--json'])
  t.is(code, 0)
  t.like(lines.at(-1), { received: 12, stored: 12 })
})

test('sources of one recording are chosen by name', async (t) => {
  const from = await recordingOf(t, 3, 5)
  const { sources } = JSON.parse(await readFile(join(from, 'recording.json'), 'utf8')) as {
    sources: { name: string }[]
  }
  t.deepEqual(
    sources.map(({ name }) => name),
    ['bytes', 'bytes-2'],
  )
  const { lines } = await measurand(['tail', `file:${from}?source=bytes-2`, '--json'])
  t.is(lines.length, 6)
  const wrong = await measurand(['tail', `file:${from}`, '--source', 'bytes-3'])
  t.is(wrong.code, 1)
  t.regex(wrong.stderr, /bytes, bytes-2/)
})

test('without --json the summary is for people, on stderr', async (t) => {
  const from = await recordingOf(t, 1000)
  const to = join(await temporary(t), 'copy')
  const { code, stdout, stderr } = await measurand(['record', `file:${from}`, '--out', to])
  t.is(code, 0)
  t.is(stdout, '')
  t.regex(stderr, /received 1,000, stored 1,000 in .* the books balance/)
})

test('--name names the source, and only one', async (t) => {
  const from = await recordingOf(t, 3, 5)
  const to = join(await temporary(t), 'copy')
  const both = await measurand(['record', `file:${from}`, '--out', to, '--name', 'mine'])
  t.is(both.code, 1)
  t.deepEqual(await readdir(to).catch(() => []), [])
})

test('a place that cannot be written is a failure of the sink', async (t) => {
  const from = await recordingOf(t, 3)
  const place = await temporary(t)
  await writeFile(join(place, 'file'), '')
  const { code, stderr } = await measurand(['record', `file:${from}`, '--out', join(place, 'file')])
  t.is(code, 4, stderr)
  t.regex(stderr, /ERR_STORE_/)
  if (process.getuid?.() === 0) return
  await mkdir(join(place, 'closed'))
  await chmod(join(place, 'closed'), 0o500)
  t.is((await measurand(['record', `file:${from}`, '--out', join(place, 'closed', 'x')])).code, 4)
})

test('a full disk ends a recording with exit code 4, and its books say what is missing', async (t) => {
  const [from, to] = [join(await temporary(t), 'from'), join(await temporary(t), 'copy')]
  const sink = await StoreSink.open(from)
  const source = new SyntheticSource({ rows: 65_536 })
  for (let batch = 0; batch < 3; batch++) await sink.write(source.next(), source)
  await sink.close()
  // Files of 2 MiB at most: a disk that is full for the second batch, not for the small tables.
  const limit = `trap '' XFSZ; ulimit -f 2048; exec "$@"`
  const record = ['--import', 'tsx', 'ts/cli/main.ts', 'record', `file:${from}`, '--out', to, '--json']
  const child = execFile('bash', ['-c', limit, 'bash', process.execPath, ...record])
  const [stdout, stderr] = [text(child.stdout as Readable), text(child.stderr as Readable)]
  const [code] = await once(child, 'close')
  t.is(code, 4, await stderr)
  t.regex(await stderr, /ERR_STORE_DISK_FULL/)
  const summary = JSON.parse((await stdout).trimEnd().split('\n').at(-1) as string) as Record<string, number>
  t.true((summary['stored'] as number) > 0 && (summary['failed'] as number) > 0)
  t.is(summary['received'], (summary['stored'] as number) + (summary['failed'] as number))
  t.is((await measurand(['audit', to])).code, 3, 'sound, with losses')
  const { lines } = await measurand(['tail', `file:${to}`, '--json'])
  t.is(lines.filter((line) => line['event'] === 'measurement').length, summary['stored'] as number)
})

test('what is no recording, or a newer one, is bad input', async (t) => {
  const place = await temporary(t)
  const missing = await measurand(['tail', `file:${join(place, 'nothing')}`])
  t.is(missing.code, 1)
  t.regex(missing.stderr, /ERR_STORE_/)
  const from = await recordingOf(t, 3)
  const path = join(from, 'recording.json')
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), format: 99 }))
  for (const args of [
    ['tail', `file:${from}`],
    ['info', from],
    ['audit', from],
  ]) {
    const { code, stderr } = await measurand(args)
    t.is(code, 1)
    t.regex(stderr, /99.*ERR_STORE_FORMAT_NEWER/)
  }
  const onto = await measurand(['record', `file:${await recordingOf(t, 3)}`, '--out', from])
  t.is(onto.code, 4)
})

test('options are checked before anything is opened', async (t) => {
  const from = await recordingOf(t, 3)
  const to = join(await temporary(t), 'copy')
  for (const args of [
    ['--limit', 'many'],
    ['--duration', 'soon'],
    ['--policy', 'overflow'],
    ['--spill', '/tmp'],
    ['--policy', 'spill', '--spill-limit', 'much'],
    ['--rotate', 'often'],
    ['--since', 'yesterday'],
  ]) {
    const { code, stderr } = await measurand(['record', `file:${from}`, '--out', to, ...args])
    t.is(code, 1, `${args} ${stderr}`)
  }
})

test('under spill a recording is as under any policy', async (t) => {
  const from = await recordingOf(t, 3)
  const to = join(await temporary(t), 'copy')
  const args = ['--policy', 'spill', '--spill', await temporary(t), '--spill-limit', '1MiB']
  const { code, stderr } = await measurand(['record', `file:${from}`, '--out', to, ...args])
  t.is(code, 0, stderr)
  t.regex(stderr, /received 3, stored 3/)
})

test('a first connection that is refused leaves nothing behind', async (t) => {
  const out = join(await temporary(t), 'never')
  const { code, stderr } = await measurand(['record', 'sttp://127.0.0.1:1', '--out', out])
  t.is(code, 2)
  t.regex(stderr, /ERR_SESSION_CONNECT_REFUSED/)
  await t.throwsAsync(readdir(out), { code: 'ENOENT' })
  const from = await recordingOf(t, 3)
  const second = await measurand(['record', `file:${from}`, 'sttp://127.0.0.1:1', '--out', out])
  t.is(second.code, 2, second.stderr)
  await t.throwsAsync(readdir(out), { code: 'ENOENT' })
})
