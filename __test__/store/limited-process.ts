// Writes until the limit on file sizes stops it; says which error came and how many rows were stored.
import { StoreSink } from '../../ts/store/sink.js'
import { SyntheticSource } from './synthetic-source.js'

const [directory = ''] = process.argv.slice(2)
const sink = await StoreSink.open(directory)
const source = new SyntheticSource({ rows: 8192 })
let code: unknown
try {
  for (;;) await sink.write(source.next(), source)
} catch (error) {
  code = (error as { code?: unknown }).code
}
const { stored } = sink
await sink.close().catch(() => {})
process.stdout.write(JSON.stringify({ code, stored }))
