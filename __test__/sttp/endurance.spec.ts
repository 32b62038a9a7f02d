import test from 'ava'
import {
  connectCycles,
  cutInMemory,
  cutSocket,
  metadataLoads,
  packetsOnOneConnection,
  recordedSession,
  slowReader,
} from './endurance.js'

// `npm run soak` runs the same for longer.

test.serial('more packets on one connection than their numbers count', async (t) => {
  const packets = 70_000
  t.deepEqual(await packetsOnOneConnection(packets), { rows: 3 * packets, wrong: 0, lost: 0 })
})

test.serial('connections that come and go leave nothing behind', async (t) => {
  const { bytesPerCycle, open, sockets } = await connectCycles(60)
  t.true(bytesPerCycle < 8192, `${bytesPerCycle} bytes a cycle`)
  t.deepEqual([open, sockets], [0, 0])
})

test.serial('a session that is cut at every byte, in memory', async (t) => {
  const { bytes, values } = await recordedSession(12)
  t.is(values.length, 48)
  let whole = 0
  for (let length = 0; length <= bytes.length; length++) {
    const result = await cutInMemory(bytes, values, length)
    if (!result.isPrefix || result.imbalance !== 0 || !result.isTold)
      t.fail(`cut at ${length}: ${JSON.stringify(result)}`)
    whole = result.values
  }
  t.is(whole, values.length)
})

test.serial('a session that is cut on the loopback', async (t) => {
  const { bytes, values } = await recordedSession(40)
  for (let cut = 0; cut < 12; cut++) {
    const length = Math.floor((bytes.length * (cut + 0.5)) / 12)
    const result = await cutSocket(bytes, values, length)
    t.true(result.isPrefix && result.imbalance === 0 && result.isTold, `cut at ${length}: ${JSON.stringify(result)}`)
  }
})

test.serial('one that reads byte by byte costs no more than its queue, and harms nobody', async (t) => {
  const { sent, received, readBySlow, mostQueued, dropped } = await slowReader(1.5, 10)
  t.is(received, sent)
  t.true(readBySlow > 0)
  t.true(dropped > 0)
  t.true(mostQueued < 3 << 20, `${mostQueued} bytes waited`)
})

test.serial('metadata that are loaded again and again leave nothing behind', async (t) => {
  const { grownMiB } = await metadataLoads(10_000, 50)
  t.true(grownMiB < 24, `${grownMiB} MiB`)
})
