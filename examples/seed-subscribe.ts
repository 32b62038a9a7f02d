// Subscribes to a publisher at localhost:7175 and shows a measurement every five seconds, until enter is pressed:
// node --import tsx examples/seed-subscribe.ts [host:port]
import { once } from 'node:events'
import { Subscriber } from '../ts/sttp/index.js'

async function main(): Promise<void> {
  const subscriber = new Subscriber()

  try {
    // Start new data read at each connection
    subscriber.connectionEstablished = () => void readData(subscriber)

    subscriber.subscribe('FILTER TOP 20 ActiveMeasurements WHERE True')
    await subscriber.connect(process.argv[2] ?? 'localhost:7175')

    // Exit when enter key is pressed
    await once(process.stdin, 'data')
  } finally {
    await subscriber.dispose()
    process.stdin.unref()
  }
}

async function readData(subscriber: Subscriber): Promise<void> {
  subscriber.defaultConnectionEstablished()
  const reader = subscriber.readMeasurements()
  let lastMessage = 0

  while (subscriber.connected) {
    const [measurement, success] = await reader.nextMeasurement()

    if (!success) break

    if (Date.now() - lastMessage < 5000) continue

    if (lastMessage === 0) {
      subscriber.statusMessage('Receiving measurements...')
      lastMessage = Date.now()
      continue
    }

    const message = [
      subscriber.totalMeasurementsReceived.toLocaleString('en-US'),
      ' measurements received so far. Current measurement:\n    ',
      String(measurement),
    ]

    subscriber.statusMessage(message.join(''))
    lastMessage = Date.now()
  }
}

await main()
