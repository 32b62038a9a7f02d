// Our node or consumer: own.ts node URL NAME SAMPLES | own.ts consumer URL NAME SAMPLES CALLS IN_FLIGHT
import {
  DataNodeConsumer,
  DataNodeHub,
  DataNodeServer,
  type DataReply,
  type FieldsReply,
} from '../../ts/sisock/index.js'

const [role, url = '', name = '', count = '0', calls = '0', inFlight = '1'] = process.argv.slice(2)
const n = Number(count)

class Bench extends DataNodeServer {
  override name = name
  readonly #t = Float64Array.from({ length: n }, (_, k) => 1.7e9 + k / 10)
  readonly #x = Float64Array.from({ length: n }, (_, k) => Math.sin(k))

  override getFields(): FieldsReply {
    return [
      { x: { description: null, timeline: 't', type: 'number', units: null } },
      { t: { interval: 0.1, field: ['x'] } },
    ]
  }

  override getData(): DataReply {
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
  const consumer = new DataNodeConsumer({ url, user: 'simonsobs', secret: 'loopback-consumer-secret', cacheBytes: 0 })
  await consumer.connect()
  let left = Number(calls)
  const check = Math.floor(n / 2)
  const ask = async (): Promise<void> => {
    while (left-- > 0) {
      const { data, timeline } = await consumer.getData(name, ['x'], 1, 0)
      const isWhole = data['x']?.length === n && data['x'][check] === Math.sin(check)
      if (!isWhole || timeline['t']?.t[check] !== 1.7e9 + check / 10) throw new Error('a sample is wrong')
    }
  }
  await consumer.getData(name, ['x'], 1, 0)
  const start = performance.now()
  await Promise.all(Array.from({ length: Number(inFlight) }, ask))
  console.log(JSON.stringify({ items: Number(calls), seconds: (performance.now() - start) / 1000 }))
  process.exit(0)
}
