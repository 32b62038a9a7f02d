// The long runs of endurance.spec.ts: node --import tsx __test__/sttp/soak.ts (npm run soak)
import {
  connectCycles,
  cutInMemory,
  cutSocket,
  metadataLoads,
  packetsOnOneConnection,
  recordedSession,
  slowReader,
} from './endurance.js'

let failed = 0
async function run<T>(name: string, work: () => Promise<T>, isRight: (result: T) => boolean): Promise<void> {
  const start = performance.now()
  let text: string
  let isDone = false
  try {
    const result = await work()
    isDone = isRight(result)
    text = JSON.stringify(result)
  } catch (error) {
    text = String(error)
  }
  if (!isDone) failed++
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  process.stdout.write(`${isDone ? 'ok' : 'FAILED'} ${name} in ${seconds} s: ${text}\n`)
}

await run(
  '300,000 TSSC packets on one connection',
  () => packetsOnOneConnection(300_000),
  ({ rows, wrong, lost }) => rows === 900_000 && wrong === 0 && lost === 0,
)
await run(
  '1,000 connections that come and go',
  () => connectCycles(1000),
  ({ bytesPerCycle, open, sockets }) => bytesPerCycle < 2048 && open === 0 && sockets === 0,
)
await run(
  'a session cut at every byte in memory',
  async () => {
    const { bytes, values } = await recordedSession(60)
    let wrong = 0
    for (let length = 0; length <= bytes.length; length++) {
      const { isPrefix, imbalance, isTold } = await cutInMemory(bytes, values, length)
      if (!isPrefix || imbalance !== 0 || !isTold) wrong++
    }
    return { cuts: bytes.length + 1, wrong }
  },
  ({ wrong }) => wrong === 0,
)
await run(
  '50 cuts on the loopback',
  async () => {
    const { bytes, values } = await recordedSession(400)
    let wrong = 0
    for (let cut = 0; cut < 50; cut++) {
      const result = await cutSocket(bytes, values, Math.floor((bytes.length * (cut + 0.5)) / 50))
      if (!result.isPrefix || result.imbalance !== 0 || !result.isTold) wrong++
    }
    return { cuts: 50, wrong }
  },
  ({ wrong }) => wrong === 0,
)
await run(
  'a subscriber that reads a byte a second, for a minute',
  () => slowReader(60, 1000),
  ({ sent, received, mostQueued, dropped }) => received === sent && mostQueued < 3 << 20 && dropped > 0,
)
await run(
  '100 loads of metadata of 100,000 rows',
  () => metadataLoads(100_000, 100),
  ({ grownMiB }) => grownMiB < 64,
)
process.exit(failed === 0 ? 0 : 1)
