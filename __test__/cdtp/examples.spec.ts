// The examples of the guide as a reader runs them: a detector, a recorder, and the script that drives them.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { recordingInfo } from '../../ts/store/index.js'
import { readRows } from '../../ts/store/rows.js'
import { Example } from '../example.js'

test('a detector, a recorder and a run from a script', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'measurand-examples-'))
  const group = `examples${process.pid}`
  const env = { INTERFACE: '127.0.0.1' }
  const detector = new Example(t, 'cdtp-detector', [group, 'one'], { env })
  const recorder = new Example(t, 'cdtp-recorder', [group, folder], { env })
  for (const satellite of [detector, recorder]) await satellite.printed(/is in examples/)
  const run = new Example(t, 'cdtp-run', [group, '2', 'Detector.one', 'Recorder.measurand'], { env })
  t.is(await run.ended, 0, run.output)
  t.regex(run.output, /found Detector\.one, Recorder\.measurand/)
  t.regex(run.output, /Detector\.one RUN/)
  t.is(await detector.ended, 0, detector.output)
  t.is(await recorder.ended, 0, recorder.output)
  const [, stored, received] = /(\d+) of (\d+) records are in/.exec(recorder.output) ?? []
  t.is(stored, received)
  t.true(Number(stored) >= 5)

  const { sources } = await recordingInfo(folder)
  const [source] = sources
  t.is(source?.imbalance, 0)
  const runs = source?.tables.filter(({ table }) => table === 'record') ?? []
  t.is(runs.length, 1)
  t.is(runs[0]?.rows, Number(stored) + 4)
  const file = join(folder, source?.name as string, 'record', runs[0]?.run as string, '000001.arrows')
  const rows = await readRows<{ kind: number; time: bigint; rx: bigint; blocks: Uint8Array[] }>(file)
  for (const { kind, time, rx, blocks } of rows) {
    if (kind !== 0) continue
    t.is(blocks[0]?.length, 65_536)
    // The time is the detector's own, before the receipt.
    t.true(time < rx)
  }
  await rm(folder, { recursive: true })
})
