// Bytes over a TCP connection by node:net alone, as much as the packets have: bytes.ts send BYTES | receive PORT BYTES
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net'

const [role, ...numbers] = process.argv.slice(2)
const PIECE = Buffer.allocUnsafeSlow(256 * 1024).fill(1)

function send(socket: Socket, bytes: number): void {
  let left = bytes
  const go = (): void => {
    while (left > 0) {
      left -= PIECE.length
      if (!socket.write(PIECE)) {
        socket.once('drain', go)
        return
      }
    }
    socket.end()
  }
  go()
}

if (role === 'send') {
  const server = createServer({ highWaterMark: 1 << 20, noDelay: true }, (socket) => send(socket, Number(numbers[0])))
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`PORT ${(server.address() as { port: number }).port}\n`)
  })
} else {
  const [port = 0, bytes = 0] = numbers.map(Number)
  const buffer = Buffer.allocUnsafeSlow(256 * 1024)
  let [received, start] = [0, 0]
  const callback = (length: number): boolean => {
    start ||= performance.now()
    received += length
    return true
  }
  const socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback } } as NetConnectOpts)
  socket.on('end', () => {
    const seconds = (performance.now() - start) / 1000
    if (received < bytes) throw new Error(`${received} of ${bytes} bytes`)
    process.stdout.write(`${JSON.stringify({ items: received, seconds })}\n`)
    process.exit(0)
  })
}
