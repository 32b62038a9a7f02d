import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import test from 'ava'
import { FileExtents } from '../../ts/store/index.js'

test('the extents of Parquet files are read once, and kept up to a limit', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'measurand-extents-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const duck = await (await DuckDBInstance.create(':memory:')).connect()
  const extents = new FileExtents(2)
  const file = (number: number) => {
    const path = join(folder, `${number}.parquet`)
    return { table: 'measurement', path, number, isSegment: false } as const
  }
  for (const number of [1, 2, 3]) {
    const rows = `SELECT make_timestamp_ns(${number} + k) AS time, 1.0::DOUBLE AS value FROM range(${number}) r(k)`
    await duck.run(`COPY (${rows}) TO '${file(number).path}' (FORMAT parquet)`)
    t.like(await extents.of(file(number)), {
      rows: number,
      firstTime: BigInt(number),
      lastTime: BigInt(2 * number - 1),
    })
  }
  t.is(extents.size, 2)
  for (const number of [1, 2, 3]) await rm(file(number).path)
  t.like(await extents.of(file(3)), { rows: 3 }, 'it is not opened again')
  await t.throwsAsync(extents.of(file(1)), { code: 'ERR_STORE_FILE_MISSING' })
})
