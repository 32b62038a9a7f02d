// Publishes the measurements of Metadata.xml 30 times a second on port 7165, until enter is pressed:
// node --import tsx examples/seed-publish.ts METADATA.xml [PORT]
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { DataSet, Measurement, Publisher, Ticks } from '../ts/sttp/index.js'

async function main(): Promise<void> {
  const publisher = new Publisher()
  let timer: NodeJS.Timeout | undefined

  try {
    // Start publisher on port 7165
    await publisher.start(Number(process.argv[3] ?? 7165))

    // Load and define metadata
    const metadataPath = process.argv[2] ?? 'Metadata.xml'
    const [dataset, err] = DataSet.fromXml(readFileSync(metadataPath, 'utf8'))

    if (err !== null) {
      console.log(`ERROR: Failed to load metadata: ${err.message}`)
      return
    }

    publisher.defineMetadata(dataset)

    // Get measurements to publish (exclude statistics)
    const measurementsToPublish = publisher.filterMetadata("SignalAcronym <> 'STAT'")

    // Publish measurements every 33ms (30 Hz)
    function publishData(): void {
      const timestamp = Ticks.utcNow()
      const measurements: Measurement[] = []

      for (const metadata of measurementsToPublish) {
        const measurement = new Measurement()
        measurement.signalId = metadata.signalId
        measurement.timestamp = timestamp

        // Generate realistic values based on signal type
        if (metadata.signalAcronym === 'FREQ') {
          measurement.value = 60.0 + (Math.random() - 0.5) * 0.02
        } else {
          measurement.value = Math.random()
        }

        measurements.push(measurement)
      }

      publisher.publishMeasurements(measurements)

      // Schedule next publication
      timer = setTimeout(publishData, 33)
    }

    // Start publishing
    publishData()

    // Wait for user input to stop
    process.stdout.write('Press Enter to stop publishing...\n')
    await once(process.stdin, 'data')
  } finally {
    clearTimeout(timer)
    await publisher.stop()
    process.stdin.unref()
  }
}

await main()
