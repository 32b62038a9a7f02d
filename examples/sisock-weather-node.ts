// A data node on a router of its own: node --import tsx examples/sisock-weather-node.ts
import {
  DataNodeConsumer,
  DataNodeHub,
  DataNodeServer,
  type DataReply,
  type FieldsReply,
  sisockToUnixTime,
  strideRows,
  WampRouter,
} from '../ts/sisock/index.js'

class Weather extends DataNodeServer {
  override name = 'weather'
  override description = 'a sine a day'

  override getFields(): FieldsReply {
    return [
      { temperature: { description: 'on the roof', timeline: 'minutely', type: 'number', units: 'C' } },
      { minutely: { interval: 60, field: ['temperature'] } },
    ]
  }

  override getData(fields: readonly string[], start: number, end: number, minStride: number | null): DataReply {
    const [from, to] = [sisockToUnixTime(start), sisockToUnixTime(end)]
    const first = Math.ceil(from / 60)
    const all = Float64Array.from({ length: Math.max(0, Math.ceil(to / 60) - first) }, (_, k) => (first + k) * 60)
    const t = Float64Array.from(strideRows(all, minStride), (row) => all[row] as number)
    const value = t.map((time) => 15 + 10 * Math.sin((2 * Math.PI * time) / 86_400))
    const data = Object.fromEntries(
      fields.map((field) => [field, field === 'temperature' ? value : new Float64Array(0)]),
    )
    return { data, timeline: t.length > 0 ? { minutely: { t, finalizedUntil: null } } : {} }
  }
}

const secret = 'only-for-this-example'
const router = new WampRouter({ users: { server: { secret, role: 'server' }, reader: { secret, role: 'consumer' } } })
const url = `ws://127.0.0.1:${await router.listen(0)}/ws`
const hub = new DataNodeHub({ url, user: 'server', secret })
await hub.connect()
const node = new Weather({ url, user: 'server', secret })
await node.connect()
const consumer = new DataNodeConsumer({ url, user: 'reader', secret })
await consumer.connect()
console.log(consumer.nodes)
const { data, timeline } = await consumer.getData('weather', ['temperature'], -3600, 0, { minStride: 600 })
console.log(timeline['minutely']?.t, data['temperature'])
await consumer.close()
await node.close()
await hub.close()
await router.close()
