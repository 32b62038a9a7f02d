// The README's first program: a publisher and a subscriber in one process.
import { Publisher, Subscriber, Synthetic } from '../ts/sttp/index.js'

const synthetic = new Synthetic({ signals: 3 })
const publisher = new Publisher()
publisher.defineMetadata(synthetic.metadata())
const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })

const subscriber = new Subscriber({ statusMessage: false })
subscriber.subscribe('FILTER ActiveMeasurements WHERE True')
await subscriber.connect(`127.0.0.1:${port}`)
publisher.publish(synthetic.batch(0, 2, publisher.signals))

for await (const batch of subscriber) {
  for (let row = 0; row < batch.length; row++) {
    const [signal, time] = [batch.signal[row] as number, batch.timeMs[row] as number]
    console.log(batch.signals.at(signal)?.name, new Date(time).toISOString(), batch.value[row])
  }
  break
}
await subscriber.close()
await publisher.stop()
