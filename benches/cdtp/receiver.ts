// A process that receives one run: receiver.ts WHO PORT RECORDS BYTES [slow]; prints items and seconds as JSON.
import { DataReceiver, hostId, MessageType, Service } from '../../ts/cdtp/index.js'

const [who, port, records, bytes] = [process.argv[2], ...process.argv.slice(3, 6).map(Number)] as [
  string,
  number,
  number,
  number,
]
/** MB/s that the receiver takes; 0: as fast as it can. */
const slow = Number(process.argv[6] ?? 0)
let start = 0

function done(items: number, payload: number): void {
  const seconds = (performance.now() - start) / 1000
  if (items !== records || payload !== records * bytes) throw new Error(`${items} records, ${payload} bytes`)
  process.stdout.write(`${JSON.stringify({ items, seconds })}\n`)
}

async function measurand(): Promise<void> {
  const receiver = new DataReceiver()
  receiver.startReceiving()
  await receiver.addSender({ hostUuid: hostId('Bench.tx'), serviceId: Service.DATA, address: '127.0.0.1', port })
  let items = 0
  let payload = 0
  for await (const batch of receiver) {
    if (batch.kind === MessageType.BOR) start = performance.now()
    if (batch.kind === MessageType.EOR) break
    if (batch.kind !== MessageType.DATA) continue
    items += batch.length
    payload += batch.payloadBytes
    const [block] = batch.blocks(batch.length - 1) as [Uint8Array]
    if (block.length !== bytes || block[0] !== 7) throw new Error('wrong bytes')
    if (slow > 0) await new Promise((resolve) => setTimeout(resolve, batch.payloadBytes / slow / 1000))
  }
  done(items, payload)
  if (receiver.ledger.totals.records > 0) throw new Error('records are missing')
  await receiver.close()
}

async function raw(): Promise<void> {
  const { Pull } = await import('zeromq')
  const socket = new Pull({ linger: 0 })
  socket.connect(`tcp://127.0.0.1:${port}`)
  await socket.receive()
  start = performance.now()
  let items = 0
  let payload = 0
  for await (const [message] of socket) {
    if ((message as Buffer).length === 3) break
    items++
    payload += (message as Buffer).length
  }
  done(items, payload)
  socket.close()
}

await (who === 'raw' ? raw() : measurand())
