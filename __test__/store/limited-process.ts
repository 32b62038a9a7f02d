// Writes until there is no more room; says which error came, how many rows were stored, and how many can be read.
import type { MeasurandError } from '../../ts/session/index.js'
import { openRecording } from '../../ts/store/reader.js'
import { StoreSink } from '../../ts/store/sink.js'
import { SyntheticSource } from './synthetic-source.js'

const [directory = ''] = process.argv.slice(2)
const sink = await StoreSink.open(directory)
const source = new SyntheticSource({ rows: 8192 })
let fault: Partial<MeasurandError> = {}
try {
  for (;;) await sink.write(source.next(), source)
} catch (error) {
  fault = error as MeasurandError
}
const { stored } = sink
// There may be room for the Parquet file, or not: the rows are there in any case.
await sink.close().catch(() => {})
let rows = 0
for (const recorded of await openRecording(directory)) {
  await recorded.consume((batch) => {
    rows += batch.length
  })
}
process.stdout.write(JSON.stringify({ code: fault.code, system: fault.system, stored, rows }))
