// Writes at full rate until it is killed; says on stdout how many rows the kernel has.
import { writeSync } from 'node:fs'
import { StoreSink } from '../../ts/store/sink.js'
import { SyntheticSource } from './synthetic-source.js'

const [directory = ''] = process.argv.slice(2)
const sink = await StoreSink.open(directory, { rotation: '4MiB' })
const source = new SyntheticSource({ rows: 8192 })
for (;;) {
  await sink.write(source.next(), source)
  writeSync(1, `${sink.stored}\n`)
}
