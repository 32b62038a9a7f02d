// Publishes a frame of so many signals ten times a second until it is killed.
//   publish-metadata.ts SIGNALS
import { Publisher, Synthetic } from '../../ts/sttp/index.js'

const signals = Number(process.argv[2])
const synthetic = new Synthetic({ signals })
const publisher = new Publisher()
publisher.defineMetadata(synthetic.metadata())
const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
const batch = synthetic.batch(0, 1, publisher.signals)
setInterval(() => publisher.publish(batch), 100)
process.stdout.write(`port ${port}\n`)
