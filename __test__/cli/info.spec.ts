import { readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
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
