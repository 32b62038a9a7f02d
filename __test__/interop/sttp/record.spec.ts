import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { query, temporary } from '../../store/temporary.js'
import { Peer } from './peer.js'

const root = join(import.meta.dirname, '../../..')

test.serial('sttpapi’s publisher is recorded, and DuckDB finds every value', async (t) => {
  const peer = new Peer('pub.py', '--signals', '12', '--samples', '500', '--rate', '250')
  t.teardown(() => peer.kill())
  const port = await peer.listening()
  const out = await temporary(t)
  const args = ['record', `sttp://127.0.0.1:${port}`, '--out', out, '--limit', '6000', '--json']
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'ts/cli/main.ts'), ...args], { cwd: root })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  t.is(code, 0, stderr)
  const lines = stdout.trim().split('\n')
  const summary = JSON.parse(lines.at(-1) as string) as Record<string, unknown>
  t.deepEqual([summary['received'], summary['stored'], summary['lost']], [6000, 6000, []])

  const files = join(out, '*/measurement/*.parquet')
  const signals = join(out, '*/signal.parquet')
  const [books] = await query<{ rows: bigint; wrong: bigint; distinct_rows: bigint }>(`
    SELECT count(*) AS rows, count(DISTINCT (k, n)) AS distinct_rows,
           count(*) FILTER (value <> 1000 * k + 0.25 * (n % 4000) OR flags <> 0 OR ns <> t0 + n * 33333300) AS wrong
    FROM (
      SELECT epoch_ns(m.time) AS ns, 1664403200000000000 AS t0, (epoch_ns(m.time) - 1664403200000000000) // 33333300 AS n,
             CAST(substr(s.name, 14) AS INT) AS k, m.value, m.flags
      FROM '${files}' m JOIN '${signals}' s ON m.signal = s.id
    )`)
  t.deepEqual(books, { rows: 6000n, distinct_rows: 6000n, wrong: 0n })
})

test.serial('our program of the seed subscribes to sttpapi’s publisher, and prints the seed’s lines', async (t) => {
  const peer = new Peer('pub.py', '--signals', '24', '--samples', '400', '--rate', '50')
  t.teardown(() => peer.kill())
  const port = await peer.listening()
  const program = join(root, 'examples/seed-subscribe.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', program, `127.0.0.1:${port}`], { cwd: root })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (more) => (output += more))
  const enough = new Promise<void>((resolve) => {
    child.stdout.on('data', () => /Normal/.test(output) && resolve())
  })
  await Promise.race([enough, once(child, 'close')])
  child.stdin.end('\n')
  await once(child, 'close')
  const expected = [
    new RegExp(`^Connection to 127\\.0\\.0\\.1:${port} established\\.$`),
    /^Received 1,\d{3} bytes of metadata in \d+\.\d{3} seconds\. Decompressing\.\.\.$/,
    /^Decompressed \d{2},\d{3} bytes of metadata in \d+\.\d{3} seconds\. Parsing\.\.\.$/,
    /^Parsed 27 metadata records in \d+\.\d{3} seconds$/,
    /^ {4}Discovered:$/,
    /^ {8}1 DeviceDetail records$/,
    /^ {8}24 MeasurementDetail records$/,
    /^ {8}1 PhasorDetail records$/,
    /^ {8}1 SchemaVersion records$/,
    /^Metadata schema version: 14$/,
    /^Received success code in response to server command: Subscribe$/,
    /^Receiving measurements\.\.\.$/,
    /^[\d,]+ measurements received so far\. Current measurement:$/,
    /^ {4}00000000-0000-4000-8000-[0-9a-f]{12} @ 22:13:\d{2}\.\d{3} = \d+\.\d{3} \(Normal\)$/,
    new RegExp(`^Connection to 127\\.0\\.0\\.1:${port} terminated\\.$`),
  ]
  const lines = output.trimEnd().split('\n')
  t.is(lines.length, expected.length, output)
  for (const [index, pattern] of expected.entries()) t.regex(lines[index] as string, pattern)
})
