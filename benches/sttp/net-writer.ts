// A bare socket: writes frames of so many bytes, one a turn of the event loop, to the first that connects.
//   net-writer.ts BYTES FRAMES        as the server; prints its port
//   net-writer.ts BYTES FRAMES PORT   as the reader; prints the frames and how long they took
import { connect, createServer } from 'node:net'

const [bytes, frames, port] = process.argv.slice(2).map(Number) as [number, number, number?]
if (port === undefined) {
  const frame = Buffer.alloc(bytes, 7)
  const server = createServer(async (socket) => {
    server.close()
    socket.setNoDelay(true)
    for (let n = 0; n < frames; n++) {
      if (!socket.write(frame)) await new Promise((resolve) => socket.once('drain', resolve))
      await new Promise((resolve) => setImmediate(resolve))
    }
    socket.end()
  })
  server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${(server.address() as { port: number }).port}\n`))
} else {
  let [got, start, end] = [0, 0n, 0n]
  const buffer = Buffer.alloc(256 * 1024)
  const socket = connect({
    port,
    host: '127.0.0.1',
    onread: {
      buffer,
      callback: (length) => {
        if (start === 0n) start = process.hrtime.bigint()
        got += length
        end = process.hrtime.bigint()
        return true
      },
    },
  })
  socket.on('close', () => {
    if (got !== bytes * frames) throw new Error(`${got} bytes, not ${bytes * frames}`)
    process.stdout.write(`${JSON.stringify({ items: frames, seconds: Number(end - start) / 1e9 })}\n`)
  })
}
