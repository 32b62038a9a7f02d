import { cp, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { StoreSink } from '../../ts/store/index.js'
import { SyntheticSource } from '../store/synthetic-source.js'
import { recordingOf, temporary } from './recording.js'
import { measurand } from './streams.js'

test('what a recording holds, and that its books balance', async (t) => {
  const from = await recordingOf(t, 100, 20)
  for (const what of [from, `file:${from}`]) {
    const { code, stdout } = await measurand(['info', what])
    t.is(code, 0)
    t.regex(stdout, /^bytes {2}tia/m)
    t.regex(stdout, /measurement: 100 rows in 1 file /)
    t.regex(stdout, /received 100, stored 100.*the books balance/)
    t.regex(stdout, /^bytes-2 {2}tia/m)
    t.regex(stdout, /nothing lost/)
  }
  const { lines } = await measurand(['info', from, '--json'])
  t.like(lines[0], { event: 'info', format: 1 })
})

test('what a file holds', async (t) => {
  const from = await recordingOf(t, 100)
  const path = join(from, 'bytes', 'measurement', '000001.parquet')
  const { code, stdout } = await measurand(['info', path])
  t.is(code, 0)
  t.regex(stdout, /Parquet, 100 rows/)
  t.regex(stdout, /time {2}timestamp\[ns\]/)
})

test('what is not there, or is nothing of ours, is bad input', async (t) => {
  const place = await temporary(t)
  for (const what of [join(place, 'nothing'), place, 'package.json']) {
    const { code, stderr } = await measurand(['info', what])
    t.is(code, 1, what)
    t.regex(stderr, /\(ERR_/)
  }
  t.is((await measurand(['info'])).code, 1)
  t.is((await measurand(['info', 'a', 'b'])).code, 1)
})

test('an audit says that a recording is sound, or what is wrong', async (t) => {
  const from = await recordingOf(t, 100)
  const sound = await measurand(['audit', from])
  t.is(sound.code, 0)
  t.regex(sound.stdout, /sound and complete/)
  t.is((await measurand(['audit', `file:${from}`])).stdout, sound.stdout)
  t.like((await measurand(['audit', from, '--json'])).lines[0], { event: 'audit', isSound: true, isComplete: true })

  const folder = join(from, 'bytes', 'measurement')
  const [file] = await readdir(folder)
  const path = join(folder, file as string)
  await truncate(path, (await stat(path)).size - 10)
  const cut = await measurand(['audit', from])
  t.is(cut.code, 1)
  t.regex(cut.stdout, /NOT SOUND/)
  await rm(path)
  t.is((await measurand(['audit', from])).code, 1)
})

test('what is being written is sound so far; what its writer left is not closed', async (t) => {
  const place = await temporary(t)
  const [live, left] = [join(place, 'live'), join(place, 'left')]
  const sink = await StoreSink.open(live)
  const source = new SyntheticSource({ rows: 300, signals: 3 })
  await sink.write(source.next(), source)
  const info = await measurand(['info', live])
  t.is(info.code, 0, info.stdout)
  t.regex(info.stdout, /recorded from \S+ to now$/m)
  t.regex(info.stdout, /: not closed yet$/m)
  const audit = await measurand(['audit', live])
  t.is(audit.code, 0, audit.stdout)
  t.regex(audit.stdout, /300 rows.*\n {2}it is being written/)
  t.regex(audit.stdout, /^sound and complete so far$/m)

  await cp(live, left, { recursive: true })
  await sink.close()
  t.regex((await measurand(['audit', live])).stdout, /^sound and complete$/m)
  await rm(join(left, 'recording.lock'))
  const dead = await measurand(['info', left])
  t.regex(dead.stdout, /to the death of its writer$/m)
  const found = await measurand(['audit', left])
  t.is(found.code, 1)
  t.regex(found.stdout, /interrupted: its writer died/)
  t.regex(found.stdout, /cut: \S+: its writer has not closed it/)
  t.regex(found.stdout, /NOT SOUND/)
})
