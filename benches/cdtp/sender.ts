// A process that sends one run: sender.ts WHO RECORDS BYTES; prints its port, then waits for a receiver.
import { DataTransmitter } from '../../ts/cdtp/index.js'

const [who, records, bytes] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const block = Buffer.alloc(bytes, 7)
const print = (line: string): void => void process.stdout.write(`${line}\n`)

async function measurand(reserve: boolean): Promise<void> {
  const transmitter = await DataTransmitter.bind({ name: 'Bench.tx', endpoint: 'tcp://127.0.0.1:*' })
  print(`port ${transmitter.port}`)
  await transmitter.sendBor({}, {})
  transmitter.startSending()
  for (let n = 0; n < records; n++) {
    const record = transmitter.newDataRecord(undefined, reserve ? { reserve: bytes } : undefined)
    if (reserve) (record.reserved as Uint8Array)[0] = 7
    else record.addBlock(block)
    const full = transmitter.sendDataRecord(record)
    if (full !== undefined) await full
  }
  await transmitter.stopSending()
  transmitter.checkException()
  await transmitter.sendEor({}, { data_records: transmitter.sequenceNumber })
  await transmitter.close()
}

/** Plain zeromq.js, one message a record: one buffer for all, or a fresh one with a copy for each. */
async function raw(fresh: boolean): Promise<void> {
  const { Push } = await import('zeromq')
  const socket = new Push({ linger: 10_000 })
  await socket.bind('tcp://127.0.0.1:*')
  print(`port ${/:(\d+)$/.exec(socket.lastEndpoint ?? '')?.[1]}`)
  await socket.send('begin')
  for (let n = 0; n < records; n++) {
    let message = block
    if (fresh) {
      message = Buffer.allocUnsafeSlow(bytes)
      message.set(block)
    }
    await socket.send(message)
  }
  await socket.send('end')
  socket.close()
}

if (who === 'raw') await raw(false)
else if (who === 'raw-copy') await raw(true)
else await measurand(who === 'reserve')
