// Records synthetic rows until all are Parquet; says how many and how long it took.
import { SyntheticSource } from '../../__test__/store/synthetic-source.js'
import { auditRecording } from '../../ts/store/audit.js'
import { StoreSink } from '../../ts/store/sink.js'

const [directory = '', rows = '0'] = process.argv.slice(2)
const source = new SyntheticSource({ signals: 1000 })
const batches = Array.from({ length: 32 }, () => source.next().copy())
const start = performance.now()
const sink = await StoreSink.open(directory, { rotation: '64MiB' })
for (let at = 0; sink.stored < Number(rows); at++) {
  await sink.write(batches[at % batches.length] as (typeof batches)[number], source)
}
const { stored } = sink
source.stats.received = stored
await sink.close()
const seconds = (performance.now() - start) / 1000
const { sources } = await auditRecording(directory)
if (sources[0]?.rows !== stored || sources[0].problems.length > 0) throw new Error(JSON.stringify(sources))
process.stdout.write(`${JSON.stringify({ items: stored, seconds })}\n`)
