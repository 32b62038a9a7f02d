// Our node or consumer, as it is published (dist): own.mjs hub URL | own.mjs node URL NAME SAMPLES |
// own.mjs consumer URL NAME SAMPLES CALLS IN_FLIGHT [plain: by get_data alone, as every peer asks]
import { DataNodeConsumer, DataNodeHub, DataNodeServer } from '../../dist/sisock/index.js'
import { isReply, time } from './rounds.mjs'

const [role, url = '', name = '', count = '0', calls = '0', inFlight = '1', form] = process.argv.slice(2)
const n = Number(count)

class Bench extends DataNodeServer {
  name = name
  #t = Float64Array.from({ length: n }, (_, k) => 1.7e9 + k / 10)
  #x = Float64Array.from({ length: n }, (_, k) => Math.sin(k))

  getFields() {
    return [
      { x: { description: null, timeline: 't', type: 'number', units: null } },
      { t: { interval: 0.1, field: ['x'] } },
    ]
  }

  getData() {
    return { data: { x: this.#x }, timeline: { t: { t: this.#t, finalizedUntil: null } } }
  }
}

if (role === 'hub') {
  await new DataNodeHub({ url, secret: 'loopback-test-secret' }).connect()
  console.log('ready')
} else if (role === 'node') {
  await new Bench({ url, secret: 'loopback-test-secret' }).connect()
  console.log('ready')
} else {
  const consumer = new DataNodeConsumer({
    url,
    user: 'simonsobs',
    secret: 'loopback-consumer-secret',
    cacheBytes: 0,
    columns: form !== 'plain',
  })
  await consumer.connect()
  await time(Number(calls), Number(inFlight), async () => {
    if (!isReply(await consumer.getData(name, ['x'], 1, 0), n)) throw new Error('a sample is wrong')
  })
}
