import { createServer, connect as dial, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MeasurementBatch } from '../../ts/batch/index.js'
import { imbalance, MemoryNetwork, type Transport } from '../../ts/session/index.js'
import { sttpWriteCommand } from '../../ts/sttp/codec.js'
import { DataSet } from '../../ts/sttp/data-set.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Subscriber } from '../../ts/sttp/subscriber.js'
import type { SubscriberOptions } from '../../ts/sttp/subscriber-options.js'
import { Synthetic } from '../../ts/sttp/synthetic.js'

const EVERYTHING = 'FILTER ActiveMeasurements WHERE True'
const quiet = { statusMessage: false, errorMessage: false, reconnect: false, gapRecovery: false } as const

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** One turn of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Bytes of memory that are used when nothing that can go is left. */
export async function usedBytes(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    await turn()
    collect()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Publishes so many packets on one connection; gives the rows that came and those that were wrong. */
export async function packetsOnOneConnection(packets: number): Promise<{ rows: number; wrong: number; lost: number }> {
  const network = new MemoryNetwork()
  const publisher = new Publisher({ network, policy: 'block' })
  const synthetic = new Synthetic({ signals: 3 })
  publisher.defineMetadata(synthetic.metadata())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  const subscriber = new Subscriber({ ...quiet, network })
  void subscriber.subscribe(EVERYTHING)
  await subscriber.connect(`127.0.0.1:${port}`)
  await turn()
  let [rows, wrong] = [0, 0]
  const done = subscriber.consume((batch) => {
    for (const value of batch.value) {
      const [n, k] = [Math.floor(rows / 3), rows % 3]
      if (value !== 1000 * k + 0.25 * (n % 4000)) wrong++
      rows++
    }
  })
  const block = synthetic.block(1, synthetic.rows(publisher.signals))
  for (let n = 0; n < packets; n++) {
    synthetic.fill(block, n, 1)
    if (!publisher.publish(new MeasurementBatch(block, publisher.signals, 'f32'))) await publisher.ready()
    if (n % 256 === 255) await turn()
  }
  await publisher.stop()
  await done
  const { lost } = subscriber.stats
  return { rows, wrong, lost }
}

/** Connects and disconnects so often; gives how many bytes a cycle leaves behind, and what is open at the end. */
export async function connectCycles(cycles: number): Promise<{ bytesPerCycle: number; open: number; sockets: number }> {
  const publisher = new Publisher()
  const synthetic = new Synthetic({ signals: 10 })
  publisher.defineMetadata(synthetic.metadata())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
  const cycle = async (n: number): Promise<void> => {
    const subscriber = new Subscriber(quiet)
    void subscriber.subscribe(EVERYTHING, { encoding: n % 2 === 0 ? 'tssc' : 'compact' })
    await subscriber.connect(`127.0.0.1:${port}`)
    const first = (async () => {
      for await (const batch of subscriber) return batch.length
      return 0
    })()
    publisher.publish(synthetic.batch(n, 1, publisher.signals))
    if ((await first) !== 10) throw new Error(`cycle ${n} brought no frame`)
    await subscriber.close()
    while (publisher.connections.length > 0) await turn()
  }
  const warm = Math.max(20, cycles / 5)
  for (let n = 0; n < warm; n++) await cycle(n)
  const [before, socketsBefore] = [await usedBytes(), sockets()]
  for (let n = 0; n < cycles; n++) await cycle(n)
  const bytesPerCycle = ((await usedBytes()) - before) / cycles
  const open = publisher.connections.length
  const left = sockets() - socketsBefore
  await publisher.close()
  return { bytesPerCycle, open, sockets: left }
}

/** The bytes that a publisher sends in a session of so many frames, and the values in them. */
export async function recordedSession(frames: number): Promise<{ bytes: Buffer; values: number[] }> {
  const chunks: Buffer[] = []
  const network = new MemoryNetwork()
  const dialled = network.dial.bind(network)
  network.dial = async (endpoint) => {
    const transport = await dialled(endpoint)
    const start = transport.start.bind(transport)
    transport.start = (handler) =>
      start({
        ...handler,
        onChunk(bytes) {
          chunks.push(Buffer.from(bytes))
          handler.onChunk(bytes)
        },
      })
    return transport
  }
  const publisher = new Publisher({ network })
  const synthetic = new Synthetic({ signals: 4 })
  publisher.defineMetadata(synthetic.metadata())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  const subscriber = new Subscriber({ ...quiet, network })
  void subscriber.subscribe(EVERYTHING)
  await subscriber.connect(`127.0.0.1:${port}`)
  await turn()
  const values: number[] = []
  const done = subscriber.consume((batch) => void values.push(...batch.value))
  for (let n = 0; n < frames; n++) publisher.publish(synthetic.batch(n, 1, publisher.signals))
  await publisher.stop()
  await done
  return { bytes: Buffer.concat(chunks), values }
}

/** What a subscriber made of a session that was cut: how many values, whether they were right, and whether its books balance. */
export interface CutResult {
  readonly values: number
  readonly isPrefix: boolean
  readonly imbalance: number
  /** Whether it ended with a typed error, or in order where nothing of a message was missing. */
  readonly isTold: boolean
}

/** Subscribes to who gives so many bytes of a session and no more. */
async function cutSession(values: readonly number[], options: SubscriberOptions, port: number): Promise<CutResult> {
  const subscriber = new Subscriber({ ...quiet, ...options })
  void subscriber.subscribe(EVERYTHING)
  const came: number[] = []
  const done = subscriber.consume((batch) => void came.push(...batch.value)).catch((error: unknown) => error)
  const refused = await subscriber.connect(`127.0.0.1:${port}`).then(
    () => undefined,
    (error: unknown) => error,
  )
  const ended = await done
  const errors = [refused, ended].filter((error) => error !== undefined) as { code?: string }[]
  return {
    values: came.length,
    isPrefix: came.every((value, row) => value === values[row]),
    imbalance: imbalance({ ...subscriber.stats, stored: came.length }),
    isTold: errors.every(({ code }) => /^ERR_(STTP|SESSION)_/.test(code ?? '')) && subscriber.state === 'closed',
  }
}

/** Cuts a session behind so many bytes, in memory. */
export async function cutInMemory(session: Uint8Array, values: readonly number[], length: number): Promise<CutResult> {
  const network = new MemoryNetwork()
  await network.listen({ host: '127.0.0.1', port: 1 }, (transport: Transport) => {
    transport.start({ onChunk() {}, onClose() {} })
    transport.write(session.subarray(0, length))
    setImmediate(() => network.cut())
  })
  return cutSession(values, { network }, 1)
}

/** Cuts a session behind so many bytes, on the loopback, as a cable does that is pulled out. */
export async function cutSocket(session: Uint8Array, values: readonly number[], length: number): Promise<CutResult> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(session.subarray(0, length), () => setTimeout(() => socket.resetAndDestroy(), 5))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await cutSession(values, {}, (server.address() as { port: number }).port)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

/** Serves one that reads a byte every so many ms beside one that reads; gives what both did to the publisher. */
export async function slowReader(
  seconds: number,
  interval: number,
): Promise<{ sent: number; received: number; readBySlow: number; mostQueued: number; dropped: number }> {
  const queueBytes = 1 << 20
  const publisher = new Publisher({ queueBytes })
  const synthetic = new Synthetic({ signals: 200 })
  publisher.defineMetadata(synthetic.metadata())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  const slow = dial(port, '127.0.0.1')
  slow.write(sttpWriteCommand({ type: 'defineOperationalModes', modes: 0xc000_0222 }))
  slow.write(sttpWriteCommand({ type: 'subscribe', subscription: { flags: 2, filterExpression: EVERYTHING } }))
  await new Promise((resolve) => slow.once('readable', resolve))
  slow.write(sttpWriteCommand({ type: 'confirmUpdateSignalIndexCache' }))
  let readBySlow = 0
  const reading = setInterval(() => {
    if (slow.read(1) !== null) readBySlow++
  }, interval)
  const subscriber = new Subscriber(quiet)
  void subscriber.subscribe(EVERYTHING)
  await subscriber.connect(`127.0.0.1:${port}`)
  let received = 0
  const done = subscriber.consume(({ length }) => {
    received += length
  })
  const block = synthetic.block(20, synthetic.rows(publisher.signals))
  let [sent, mostQueued] = [0, 0]
  const end = performance.now() + seconds * 1000
  const isOver = (): boolean => performance.now() > end && publisher.stats.dropped > 0 && readBySlow > 0
  while (!isOver()) {
    synthetic.fill(block, sent / 200, 20)
    publisher.publish(new MeasurementBatch(block, publisher.signals, 'f32'))
    sent += block.count
    for (const { queuedBytes } of publisher.connections) mostQueued = Math.max(mostQueued, queuedBytes)
    // The one that reads is never so far behind that its own queue could be full.
    do await turn()
    while (sent - received > 20 * block.count)
  }
  while (received < sent) await new Promise((resolve) => setTimeout(resolve, 5))
  const { dropped } = publisher.stats
  clearInterval(reading)
  slow.destroy()
  await publisher.close()
  await done.catch(() => {})
  return { sent, received, readBySlow, mostQueued, dropped }
}

/** Reads metadata of so many rows so often; gives by how many MiB the process has grown since the first fifth. */
export async function metadataLoads(rows: number, loads: number): Promise<{ grownMiB: number }> {
  const xml = new Synthetic({ signals: rows }).metadata().toXml()
  let before = 0
  for (let load = 0; load < loads; load++) {
    const set = await DataSet.read(xml)
    set.deriveActiveMeasurements()
    if (set.signalIds('FILTER TOP 3 ActiveMeasurements WHERE True').length !== 3) throw new Error('a load is wrong')
    if (load === Math.floor(loads / 5)) {
      await usedBytes()
      before = process.memoryUsage.rss()
    }
  }
  await usedBytes()
  return { grownMiB: (process.memoryUsage.rss() - before) / 2 ** 20 }
}
