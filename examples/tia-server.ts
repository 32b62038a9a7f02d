// The server of pytia's page: one signal of 3 channels at 50 Hz, served on port 9000 until Ctrl-C.
import { TIA_SIG_USER_1, TiAConnectionHandler, TiAServer, TiASignalConfig } from '../ts/tia/index.js'

// Create a server listening on a local port.
const { PORT = '9000' } = process.env
const server = new TiAServer(['', Number(PORT)], TiAConnectionHandler)

// Before starting the server, define at least one signal: a source of data that it polls and streams to clients.
function sigCallback(_id: number) {
  return Array.from({ length: 3 }, () => Math.random() * 20 - 10)
}

// A 50 Hz, 3 channel signal with 1 sample per channel per packet.
await server.start([
  new TiASignalConfig({
    channels: 3,
    sampleRate: 50,
    blocksize: 1,
    callback: sigCallback,
    id: 0,
    isMaster: true,
    sigtype: TIA_SIG_USER_1,
  }),
])
const alive = setInterval(() => {}, 60_000)
console.log(`listening on port ${server.port}`)

process.once('SIGINT', () => void server.drain())
await server.closed
clearInterval(alive)
