// A live source as a data node: node --import tsx examples/sisock-live-node.ts
// An EEG server of TiA is read, and its newest hour offered beside the sensors of this machine.
import { DataNodeConsumer, DataNodeHub, SensorsNode, SourceNode, WampRouter } from '../ts/sisock/index.js'
import { TIA_SIG_EEG, TiAClient, TiAServer, TiASignalConfig } from '../ts/tia/index.js'

const secret = 'only-for-this-example'
const router = new WampRouter({ users: { server: { secret, role: 'server' }, reader: { secret, role: 'consumer' } } })
const url = `ws://127.0.0.1:${await router.listen(0)}/ws`
const hub = new DataNodeHub({ url, user: 'server', secret })
await hub.connect()

let n = 0
const callback = (): Float32Array => Float32Array.from({ length: 16 }, () => 40 * Math.sin(n++ / 20))
const server = new TiAServer(['127.0.0.1', 0])
const eeg = { channels: 2, sampleRate: 256, blocksize: 8, callback, id: 0, sigtype: TIA_SIG_EEG, labels: ['C3', 'C4'] }
await server.start([new TiASignalConfig(eeg)])
const client = new TiAClient('127.0.0.1', server.port)
await client.connect()
await client.startStreaming()

const node = new SourceNode(client, { url, user: 'server', secret, node: 'eeg', keep: 3600 })
await node.connect()
const sensors = new SensorsNode({ url, user: 'server', secret, interval: 1 })
await sensors.connect()

const consumer = new DataNodeConsumer({ url, user: 'reader', secret })
await consumer.connect()
console.log(consumer.nodes.map(({ name }) => name).join(', '))
for (;;) {
  const { data, timeline } = await consumer.getData('eeg', ['C3', 'C4'], -10, 0)
  const { t, finalizedUntil } = timeline['C3'] ?? { t: [], finalizedUntil: null }
  if (t.length >= 256) {
    console.log(`a second of C3, as many of C4: ${data['C4']?.length === t.length}, final so far: ${finalizedUntil}`)
    break
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
}
const [fields] = await consumer.getFields('sensors', -60, 0)
console.log(Object.keys(fields).includes('memory_used'))
await consumer.close()
await sensors.close()
await node.close()
await server.close()
await hub.close()
await router.close()
