// Takes packets and checks them: receiver.ts PORT PACKETS packets|measurements|plain SIZE
import { connect, type NetConnectOpts } from 'node:net'
import { TiAClient } from '../../ts/tia/index.js'
import { PlainDecoder } from './packets.js'

const [port = 0, packets = 0] = process.argv.slice(2, 4).map(Number)
const [form, sizeText] = process.argv.slice(4)
const size = Number(sizeText)
let start = 0
let seen = 0
let missing = 0
if (form === 'plain') {
  const control = connect(port, '127.0.0.1')
  const ask = (command: string): Promise<string> =>
    new Promise((resolve) => {
      control.once('data', (reply) => resolve(String(reply)))
      control.write(`TiA 1.0\n${command}\n\n`)
    })
  const dataPort = Number(/Port:(\d+)/.exec(await ask('GetDataConnection:TCP'))?.[1])
  const decoder = new PlainDecoder()
  const socket = connect({ port: dataPort, host: '127.0.0.1', highWaterMark: 1 << 20 } as NetConnectOpts)
  await new Promise((resolve) => socket.once('connect', resolve))
  const all = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      decoder.decode(chunk)
      if (decoder.packets === packets) resolve()
    })
  })
  start = performance.now()
  await ask('StartDataTransmission')
  await all
  seen = decoder.packets
} else {
  const client = new TiAClient('127.0.0.1', port, { reconnect: false })
  await client.connect()
  await client.startStreaming()
  start = performance.now()
  if (form === 'packets') {
    for await (const batch of client.packets()) {
      let at = 0
      for (let row = 0; row < batch.length; row++, seen++) {
        if (batch.samples[at] !== seen % 2 ** 24) throw new Error(`packet ${seen} holds ${batch.samples[at]}`)
        at = batch.sampleEnd[row] as number
      }
      if (seen === packets) break
    }
  } else {
    let rows = 0
    for await (const batch of client) {
      rows += batch.length
      if (rows === packets * size) break
    }
    seen = rows / size
  }
  missing = client.ledger.totals.missing
}
const seconds = (performance.now() - start) / 1000
if (seen !== packets || missing > 0) throw new Error(`${seen} of ${packets} packets`)
process.stdout.write(`${JSON.stringify({ items: seen, seconds })}\n`)
process.exit(0)
