// One end of a latency bench: a message 30 times a second that carries the monotonic clock, which all processes share.
// Before, one a turn of the event loop until both ends are compiled: at 30 a second that would take minutes.
//   latency-end.ts sttp|net SECONDS        sends; prints its port
//   latency-end.ts sttp|net SECONDS PORT   receives; prints median and p99 in s
import { connect, createServer } from 'node:net'
import { Block, MeasurementBatch } from '../../ts/batch/index.js'
import { Publisher, Subscriber, Synthetic } from '../../ts/sttp/index.js'

const [kind, secondText, port] = process.argv.slice(2) as ['sttp' | 'net', string, string?]
const messages = Number(secondText) * 30
/** Bytes of a frame of one TSSC measurement. */
const FRAME = 46

/** Messages before those that are measured. */
const WARM_UP = 5000

/** Calls often, and then 30 times a second. */
async function beat(send: () => void): Promise<void> {
  for (let sent = 0; sent < WARM_UP; sent++) {
    send()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await new Promise<void>((resolve) => {
    let left = messages
    const timer = setInterval(() => {
      send()
      if (--left > 0) return
      clearInterval(timer)
      resolve()
    }, 1000 / 30)
  })
}

async function sendSttp(): Promise<void> {
  const synthetic = new Synthetic({ signals: 1 })
  const publisher = new Publisher()
  publisher.defineMetadata(synthetic.metadata())
  const [, at] = await publisher.start({ host: '127.0.0.1', port: 0 })
  process.stdout.write(`port ${at}\n`)
  for await (const { state } of publisher.status) if (state === 'peer-subscribed') break
  const block = new Block(1)
  block.signal.set(synthetic.rows(publisher.signals))
  block.count = 1
  const batch = new MeasurementBatch(block, publisher.signals, 'f32')
  await beat(() => {
    block.time[0] = process.hrtime.bigint()
    publisher.publish(batch)
  })
  await publisher.stop()
}

function sendNet(): Promise<void> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.setNoDelay(true)
      server.close()
      void beat(() => {
        const frame = Buffer.alloc(FRAME)
        frame.writeBigInt64LE(process.hrtime.bigint())
        socket.write(frame)
      }).then(() => {
        socket.end()
        resolve()
      })
    })
    server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${(server.address() as { port: number }).port}\n`))
  })
}

const latencies: number[] = []
function arrived(sent: bigint): void {
  latencies.push(Number(process.hrtime.bigint() - sent))
}

async function receiveSttp(): Promise<void> {
  const subscriber = new Subscriber({ reconnect: false, statusMessage: false, errorMessage: false })
  void subscriber.subscribe('FILTER ActiveMeasurements WHERE True')
  await subscriber.connect(`127.0.0.1:${port}`)
  await subscriber.consume((batch) => {
    for (const time of batch.time) arrived(time)
  })
}

function receiveNet(): Promise<void> {
  return new Promise((resolve) => {
    const buffer = Buffer.alloc(256 * 1024)
    const onread = {
      buffer,
      callback: (length: number) => {
        for (let at = 0; at + FRAME <= length; at += FRAME) arrived(buffer.readBigInt64LE(at))
        return true
      },
    }
    connect({ port: Number(port), host: '127.0.0.1', onread }).on('close', () => resolve())
  })
}

if (port === undefined) await (kind === 'sttp' ? sendSttp() : sendNet())
else {
  await (kind === 'sttp' ? receiveSttp() : receiveNet())
  const sorted = latencies.slice(WARM_UP).sort((a, b) => a - b)
  if (sorted.length < messages - 5) throw new Error(`${sorted.length} of ${messages} came`)
  const at = (part: number): number => (sorted[Math.floor(sorted.length * part)] as number) / 1e9
  process.stdout.write(`${JSON.stringify({ items: sorted.length, seconds: at(0.5), p99: at(0.99) })}\n`)
}
