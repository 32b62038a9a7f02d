// A detector simulator: a transmitter satellite that sends an image of random bytes ten times a second in each run.
import { randomFillSync } from 'node:crypto'
import { type Configuration, TransmitterSatellite, timestampNow } from '../ts/cdtp/index.js'
import { sleep, systemClock } from '../ts/session/index.js'

class Detector extends TransmitterSatellite {
  #rate = 10
  #bytes = 65_536

  protected override async doInitializing(configuration: Configuration) {
    this.#rate = configuration.number('rate', 10)
    this.#bytes = configuration.number('bytes', 65_536)
    return `${this.#rate} images of ${this.#bytes} bytes a second`
  }

  protected override async doRun(signal: AbortSignal) {
    while (!signal.aborted) {
      // The image is filled where it will be sent from: it is never copied.
      const record = this.newDataRecord({ timestamp: timestampNow(systemClock) }, { reserve: this.#bytes })
      randomFillSync(record.reserved as Uint8Array)
      await this.sendDataRecord(record)
      await sleep(systemClock, 1000 / this.#rate, signal).catch(() => {})
    }
    return 'finished'
  }
}

const [group = 'lab', name = 'one'] = process.argv.slice(2)
const interfaces = process.env['INTERFACE'] === undefined ? {} : { interfaces: [process.env['INTERFACE']] }
const detector = new Detector({ type: 'Detector', name, group, ...interfaces })
await detector.open()
console.log(`${detector.canonicalName} is in ${group}; a controller drives it`)
process.once('SIGINT', () => void detector.close())
await detector.closed
