// Records five seconds of a TiA server into recordings/tia, and says whether every sample arrived.
import { openSource, pipeline } from '../ts/ingest/index.js'
import { StoreSink } from '../ts/store/index.js'

const { PORT = '9000' } = process.env
const url = `tia://127.0.0.1:${PORT}`
const source = await openSource(url, { wait: 10_000, maxDelay: 250 })
const sink = await StoreSink.open('recordings/tia')
await sink.add(source, url)
const result = await pipeline(source, sink, { duration: 5000 })
await sink.settle(source, result.books)
await sink.close()
console.log(result.books, result.isComplete ? 'complete' : result.losses)
