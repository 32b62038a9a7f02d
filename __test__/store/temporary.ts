import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { ExecutionContext } from 'ava'

/** A directory that is gone after the test. */
export async function temporary(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'measurand-store-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** What DuckDB answers. */
export async function query<T extends object = { readonly rows: bigint }>(sql: string): Promise<T[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const reader = await connection.runAndReadAll(sql)
    return reader.getRowObjectsJS() as T[]
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
