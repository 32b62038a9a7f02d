import { type Row, rowsOf } from '../batch/index.js'
import { FileReader } from './codec.js'

/** The rows of a file, as objects with the cells of its columns: for the small tables that say something of a source. */
export async function readRows<T = Row>(path: string): Promise<T[]> {
  const reader = new FileReader(path)
  const rows: T[] = []
  for (let batch = await reader.takeColumns(); batch !== null; batch = await reader.takeColumns()) {
    for (const row of rowsOf(batch)) rows.push(row as T)
  }
  return rows
}
