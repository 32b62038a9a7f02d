import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, copyFile, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { TableBuilder } from '../../ts/batch/index.js'
import { auditRecording } from '../../ts/store/audit.js'
import { inspectFile } from '../../ts/store/codec.js'
import { openRecording } from '../../ts/store/reader.js'
import { StoreSink } from '../../ts/store/sink.js'
import { SyntheticSource, T0 } from './synthetic-source.js'
import { query, temporary } from './temporary.js'

/** Starts a writer, kills it when it has stored so many rows; gives the rows that it had told of. */
async function killedWriter(directory: string, rows: number): Promise<number> {
  const script = fileURLToPath(new URL('writer-process.ts', import.meta.url))
  const writer = spawn(process.execPath, ['--import', 'tsx', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let told = 0
  for await (const line of createInterface(writer.stdout)) {
    told = Number(line)
    if (told >= rows) writer.kill('SIGKILL')
  }
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
  return told
}

test('what a killed writer had stored is read, recovered and audited', async (t) => {
  const directory = join(await temporary(t), 'rec')
  const told = await killedWriter(directory, 2_000_000)
  t.true(told >= 2_000_000)

  const before = await openRecording(directory)
  let rows = 0
  await before[0]?.consume((batch) => {
    rows += batch.length
  })
  t.true(rows >= told, `${rows} of ${told} rows are readable`)

  // The next writer closes what the dead one left.
  const sink = await StoreSink.open(directory)
  t.is(sink.recovered.length, 1)
  t.is(sink.recovered[0]?.source, 'synthetic')
  await sink.close()
  const [counted] = await query<{ rows: bigint; wrong: bigint }>(`
    select count(*) as rows, count(*) filter (value != 1000 * (row % 100) + 0.25 * ((row // 100) % 4000)) as wrong
    from (select *, row_number() over () - 1 as row from '${directory}/**/measurement/*.parquet')`)
  t.is(counted?.wrong, 0n)
  t.is(Number(counted?.rows), rows)
  t.deepEqual((await readdir(join(directory, 'synthetic'))).sort(), [
    'loss.parquet',
    'measurement',
    'session.parquet',
    'signal.parquet',
  ])
  const losses = await query<object>(`select cause, count from '${directory}/synthetic/loss.parquet'`)
  t.deepEqual(losses, [{ cause: 'sink', count: null }])
  const { sources, isComplete } = await auditRecording(directory)
  t.false(isComplete)
  t.deepEqual(
    sources[0]?.problems.filter(({ kind }) => kind !== 'cut').map(({ kind }) => kind),
    ['interrupted'],
  )
})

/** A recording whose writer has vanished: a copy of its files while it is open. */
async function abandoned(t: import('ava').ExecutionContext, table: 'measurement' | 'record'): Promise<string> {
  const directory = await temporary(t)
  const [live, dead] = [join(directory, 'live'), join(directory, 'dead')]
  const sink = await StoreSink.open(live)
  const source = new SyntheticSource({ name: 's', rows: 100, signals: 3 })
  for (let n = 0; n < 3; n++) {
    if (table === 'measurement') await sink.write(source.next(), source)
    else {
      const builder = new TableBuilder('record')
      const blocks = [Buffer.from('abc')]
      builder.push({ run: 'r', sender: 'S', kind: 0, seq: BigInt(n), rx: T0, condition: 0, tags: Buffer.of(1), blocks })
      await sink.write(builder.finish(), source)
    }
  }
  const { cp, rm } = await import('node:fs/promises')
  await cp(live, dead, { recursive: true })
  await rm(join(dead, 'recording.lock'))
  await sink.close()
  return dead
}

test('a cut tail is told and entered as a loss', async (t) => {
  const directory = await abandoned(t, 'measurement')
  const segment = join(directory, 's', 'measurement', '000001.arrows')
  const { size } = await stat(segment)
  await truncate(segment, size - 10)
  const sink = await StoreSink.open(directory)
  await sink.close()
  const [recovery] = sink.recovered
  t.is(recovery?.closed, 1)
  t.is(recovery?.cut[0]?.fault, 'the last batch was cut off')
  const bytes = recovery?.cut[0]?.bytes as number
  const losses = await query<object>(`select cause, bytes, count from '${directory}/s/loss.parquet'`)
  t.deepEqual(losses, [{ cause: 'sink', bytes: BigInt(bytes), count: null }])
  const seen = await inspectFile(join(directory, 's', 'measurement', '000001.parquet'))
  t.is(seen.rows, 200)
  t.is(seen.compactedTailBytes, bytes)
  t.deepEqual((await readdir(join(directory, 's', 'measurement'))).sort(), ['000001.parquet'])
  // Nothing is left to recover.
  const next = await StoreSink.open(directory)
  t.deepEqual(next.recovered, [])
  await next.close()
})

test('a segment with foreign bytes is set aside, not thrown away', async (t) => {
  const directory = await abandoned(t, 'measurement')
  const segment = join(directory, 's', 'measurement', '000001.arrows')
  await appendFile(segment, 'these bytes are not ours')
  const sink = await StoreSink.open(directory)
  await sink.close()
  t.deepEqual((await readdir(join(directory, 's', 'measurement'))).sort(), ['000001.arrows.damaged', '000001.parquet'])
  t.is((await inspectFile(join(directory, 's', 'measurement', '000001.parquet'))).rows, 300)
})

test('a segment whose writer died before its schema was whole has no rows', async (t) => {
  for (const bytes of [0, 100]) {
    const directory = await abandoned(t, 'measurement')
    const segment = join(directory, 's', 'measurement', '000001.arrows')
    await truncate(segment, bytes)
    const sink = await StoreSink.open(directory)
    await sink.close()
    t.is(sink.recovered[0]?.cut.length, bytes === 0 ? 0 : 1)
    const left = bytes === 0 ? [] : ['000001.arrows.damaged']
    t.deepEqual(await readdir(join(directory, 's', 'measurement')), left)
  }
})

test('state tables whose writer died before their schema was whole have no rows', async (t) => {
  for (const bytes of [0, 100]) {
    const directory = await abandoned(t, 'measurement')
    for (const table of ['signal', 'loss']) {
      const path = join(directory, 's', `${table}.arrows`)
      await appendFile(path, '')
      await truncate(path, bytes)
    }
    let rows = 0
    await (await openRecording(directory))[0]?.consume((batch) => {
      rows += batch.length
    })
    t.is(rows, 300)
    const sink = await StoreSink.open(directory)
    await sink.close()
    t.is(sink.recovered.length, 1)
    const { sources } = await auditRecording(directory)
    t.deepEqual(
      sources[0]?.problems.map(({ kind }) => kind),
      ['signal', 'interrupted'],
    )
  }
})

test('a state table that is something else is told, and stays', async (t) => {
  const directory = await abandoned(t, 'measurement')
  const path = join(directory, 's', 'loss.arrows')
  await writeFile(path, 'not a table of losses at all')
  await t.throwsAsync(openRecording(directory), { code: 'ERR_STORE_FILE_FOREIGN' })
  await t.throwsAsync(StoreSink.open(directory), { code: 'ERR_STORE_FILE_FOREIGN' })
  t.is((await readFile(path)).toString(), 'not a table of losses at all')
})

test('records of a dead writer stay in their segment, which is closed', async (t) => {
  const directory = await abandoned(t, 'record')
  const segment = join(directory, 's', 'record', 'r', '000001.arrows')
  await appendFile(segment, Buffer.of(0xff, 0xff, 0xff, 0xff, 0x40))
  const sink = await StoreSink.open(directory)
  await sink.close()
  t.is(sink.recovered[0]?.cut[0]?.bytes, 5)
  const { rows, tail } = await inspectFile(segment)
  t.is(rows, 3)
  t.deepEqual([tail?.closed, tail?.bytes], [true, 0])
})

test('a segment beside its Parquet file was compacted and goes', async (t) => {
  const directory = await abandoned(t, 'measurement')
  const at = join(directory, 's', 'measurement')
  await copyFile(join(at, '000001.arrows'), join(at, 'kept'))
  await (await StoreSink.open(directory)).close()
  await copyFile(join(at, 'kept'), join(at, '000001.arrows'))
  await (await open(join(at, '000002.parquet.tmp'), 'w')).close()
  await (await StoreSink.open(directory)).close()
  t.deepEqual((await readdir(at)).sort(), ['000001.parquet', 'kept'])
  const { sources } = await auditRecording(directory)
  t.is(sources[0]?.rows, 300)
})

test('one writer at a time; a dead one does not count', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  const error = await t.throwsAsync(StoreSink.open(directory), { code: 'ERR_STORE_LOCKED' })
  t.true(error?.message.includes(String(process.pid)))
  const lock = await readFile(join(directory, 'recording.lock'), 'utf8')
  await sink.close()
  await t.throwsAsync(stat(join(directory, 'recording.lock')), { code: 'ENOENT' })

  const dead = { ...JSON.parse(lock), started: '1' }
  await appendFile(join(directory, 'recording.lock'), JSON.stringify(dead))
  const next = await StoreSink.open(directory)
  await t.throwsAsync(StoreSink.open(directory), { code: 'ERR_STORE_LOCKED' })
  await next.close()

  // Of several that find a dead writer's lock one has it.
  for (let round = 0; round < 50; round++) {
    await appendFile(join(directory, 'recording.lock'), JSON.stringify(dead))
    // Some writers die while they take the place of another.
    if (round % 2 === 1) {
      const heir = { ...dead, token: 'heir' }
      await appendFile(join(directory, `recording.lock.${dead.token}`), JSON.stringify(heir))
    }
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => StoreSink.open(directory)))
    const taken = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    t.is(taken.length, 1)
    await taken[0]?.close()
    t.deepEqual(
      (await readdir(directory)).filter((name) => name.includes('lock')),
      [],
    )
  }

  await appendFile(join(directory, 'recording.lock'), JSON.stringify({ ...dead, host: 'elsewhere' }))
  const elsewhere = await t.throwsAsync(StoreSink.open(directory), { code: 'ERR_STORE_LOCKED' })
  t.true(elsewhere?.message.includes('elsewhere'))
})
