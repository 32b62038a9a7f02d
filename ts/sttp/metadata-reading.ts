import type { Clock } from '../session/index.js'
import { DataSet } from './data-set.js'

/** Bytes of metadata at most, decompressed. */
const XML_BYTES = 1 << 30

/** What is told of metadata while they are read. */
export interface MetadataHost {
  readonly clock: Clock
  /** What the other implementations say to people. */
  say(text: string): void
  /** A deviation of the publisher that was worked around. */
  quirk(name: string): void
}

/**
 * Reads metadata as they came, and says of it what the other implementations say; none where the publisher has none.
 *
 * @param requested when they were asked for, as the clock's elapsed time
 */
export async function readMetadata(
  payload: Uint8Array,
  requested: number,
  { clock, say, quirk }: MetadataHost,
): Promise<DataSet | undefined> {
  const seconds = (from: number): string => ((clock.elapsed() - from) / 1000).toFixed(3)
  const isGzip = payload[0] === 0x1f && payload[1] === 0x8b
  const received = `Received ${thousands(payload.length)} bytes of metadata in ${seconds(requested)} seconds.`
  say(`${received} ${isGzip ? 'Decompressing' : 'Parsing'}...`)
  if (payload.length === 0) return undefined
  const started = clock.elapsed()
  const set = await DataSet.read(payload, XML_BYTES)
  // Both at once, so that the XML, tenfold as long, is never in memory: each of the two times is that of both.
  if (isGzip) {
    say(`Decompressed ${thousands(set.xmlBytes)} bytes of metadata in ${seconds(started)} seconds. Parsing...`)
  }
  // sttpapi writes a point without digits where a time has no fraction of a second; its own parser then fails.
  if (set.hasBarePoint) quirk('time-point-without-digits')
  const rows = set.tables.reduce((sum, table) => sum + table.rows, 0)
  const found = set.tables.map((table) => `        ${thousands(table.rows)} ${table.name} records\n`).join('')
  const version = set.table('SchemaVersion')?.rows ? set.records('SchemaVersion')[0]?.['versionNumber'] : undefined
  say(
    `Parsed ${thousands(rows)} metadata records in ${seconds(started)} seconds\n    Discovered:\n${found}${
      version === undefined ? 'No SchemaVersion table found in metadata' : `Metadata schema version: ${version}`
    }`,
  )
  return set
}

function thousands(count: number): string {
  return count.toLocaleString('en-US')
}
