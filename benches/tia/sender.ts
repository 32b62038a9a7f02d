// Serves packets of a shape as fast as they are taken: sender.ts CHANNELS BLOCKSIZE PACKETS [CLIENTS RATE]
import { setTimeout as sleep } from 'node:timers/promises'
import { TIA_SIG_EEG, TiAConnectionHandler, TiAServer, TiASignalConfig } from '../../ts/tia/index.js'

const [channels = 8, blocksize = 1, packets = 0, clients = 1, rate = 0] = process.argv.slice(2).map(Number)
const server = new TiAServer(['127.0.0.1', 0], TiAConnectionHandler, {
  policy: 'block',
  // More that waits is only colder when the kernel takes it: the buffers stay in the processor's cache.
  queueBytes: 512 * 1024,
  maxDelay: 10,
})
let made = 0
const size = channels * blocksize
const callback = (): Float32Array => new Float32Array(size).fill(made++)
const signal = new TiASignalConfig({
  channels,
  sampleRate: (rate || 1000) * blocksize,
  blocksize,
  id: 0,
  sigtype: TIA_SIG_EEG,
  ...(rate > 0 ? { callback } : {}),
})
await server.start([signal])
process.stdout.write(`PORT ${server.port}\n`)
const alive = setInterval(() => {}, 1000)
if (rate === 0) {
  while (server.receivers < clients) await sleep(2)
  const most = Math.max(1, Math.floor((256 * 1024) / (4 * size)))
  const samples = new Float32Array(most * size)
  for (let first = 0; first < packets; first += most) {
    const count = Math.min(most, packets - first)
    for (let packet = 0; packet < count; packet++) samples[packet * size] = (first + packet) % 2 ** 24
    if (!server.push(signal, samples.subarray(0, count * size))) await server.ready()
  }
  await server.drain()
} else await server.closed
clearInterval(alive)
