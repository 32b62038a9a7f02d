// A recorder satellite: it writes the runs of a constellation into a folder, a directory for each run.
import { GroupSource } from '../ts/cdtp/index.js'
import { pipeline } from '../ts/ingest/index.js'
import { StoreSink } from '../ts/store/index.js'

const [group = 'lab', folder = 'recording', runs] = process.argv.slice(2)
const source = new GroupSource(group, [], {
  ...(process.env['INTERFACE'] === undefined ? {} : { interfaces: [process.env['INTERFACE']] }),
  ...(runs === undefined ? {} : { runs: Number(runs) }),
})
await source.connect()
console.log(`${source.satellite.canonicalName} is in ${group}; a controller drives it`)
process.once('SIGINT', () => void source.drain())
const sink = await StoreSink.open(folder)
const { books, losses } = await pipeline(source, sink)
await sink.close()
console.log(`${books.stored} of ${books.received} records are in ${folder}`)
for (const { source: sender, firstSeq, lastSeq, cause } of losses) console.log(sender, firstSeq, lastSeq, cause)
