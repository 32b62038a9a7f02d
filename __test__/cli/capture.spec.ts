import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { publishing } from '../sttp/publishing.js'
import { temporary } from './recording.js'
import { measurand } from './streams.js'

test('a capture is readable by its owner alone, and says the rows whose bytes it has', async (t) => {
  const file = join(await temporary(t), 'session.cap')
  const url = `sttp://127.0.0.1:${await publishing(t, { signals: 5, frames: 40 })}`
  const { code, lines } = await measurand(['capture', url, '-o', file, '--limit', '200', '--redact', '--json'])
  t.is(code, 0)
  t.like(lines.at(-1), { event: 'summary', received: 200, stored: 200 })
  t.is((await stat(file)).mode & 0o777, 0o600)
  t.is((await measurand(['decode', 'sttp', file])).code, 0)
})

test('of a cut capture what came whole is printed; the file is bad input', async (t) => {
  const directory = await temporary(t)
  const [file, cut] = [join(directory, 'session.cap'), join(directory, 'cut.cap')]
  const url = `sttp://127.0.0.1:${await publishing(t, { signals: 5, frames: 40 })}`
  await measurand(['capture', url, '-o', file, '--limit', '200'])
  await writeFile(cut, (await readFile(file)).subarray(0, -3))
  const { code, lines, stderr } = await measurand(['decode', 'sttp', cut])
  t.is(code, 1)
  t.regex(stderr, /ERR_SESSION_CAPTURE_FORMAT/)
  t.true(lines.some(({ event, direction }) => event === 'message' && direction === 'pub'))
})

test('a capture that cannot be written ends with 4', async (t) => {
  const directory = await temporary(t)
  const url = `sttp://127.0.0.1:${await publishing(t, { signals: 5, frames: 40 })}`
  const nowhere = await measurand(['capture', url, '-o', join(directory, 'missing', 'session.cap')])
  t.is(nowhere.code, 4, nowhere.stderr)
  t.regex(nowhere.stderr, /ERR_CLI_FILE_UNWRITABLE/)
  if (!existsSync('/dev/full')) return
  const full = await measurand(['capture', url, '-o', '/dev/full', '--limit', '200'])
  t.is(full.code, 4, full.stderr)
  t.regex(full.stderr, /ENOSPC.*ERR_CLI_FILE_UNWRITABLE/)
})

test('a recording is whole although its capture cannot be written', async (t) => {
  if (!existsSync('/dev/full')) return t.fail('this system has no file that is always full')
  const out = join(await temporary(t), 'recording')
  const url = `sttp://127.0.0.1:${await publishing(t, { signals: 5, frames: 40 })}`
  const { code, stderr } = await measurand(['record', url, '--out', out, '--capture', '/dev/full', '--limit', '200'])
  t.is(code, 4, stderr)
  t.regex(stderr, /ERR_CLI_FILE_UNWRITABLE/)
  const audit = await measurand(['audit', out])
  t.is(audit.code, 0, audit.stdout)
  t.regex(audit.stdout, /200 rows/)
})

test('--redact goes with --capture', async (t) => {
  const out = join(await temporary(t), 'recording')
  const { code, stderr } = await measurand(['record', 'sttp://127.0.0.1:1', '--out', out, '--redact'])
  t.is(code, 1)
  t.regex(stderr, /ERR_CLI_OPTION_INVALID/)
})
