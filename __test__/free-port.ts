import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that systems give away by themselves, so that nobody is given one between the look and the use. */
const [FIRST, END] = [10_000, 32_000]
/** Ports of one process: tests that run beside one another do not meet. */
const EACH = 32

let taken = 0

/**
 * A port that nobody uses, for TCP and for datagrams: for programs that do not say which one they were given, and for
 * those that come back where they were.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const own = (process.pid * EACH) % (END - FIRST - EACH)
    const port = FIRST + own + (taken++ % EACH)
    if ((await isFreeForTcp(host, port)) && (await isFreeForDatagrams(host, port))) return port
    if (taken > 100 * EACH) throw new Error('all ports of this process are in use')
  }
}

async function isFreeForTcp(host: string, port: number): Promise<boolean> {
  const server = createServer().listen({ host, port })
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}

async function isFreeForDatagrams(host: string, port: number): Promise<boolean> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  try {
    socket.bind(port, host)
    await once(socket, 'listening')
  } catch {
    return false
  }
  socket.close()
  await once(socket, 'close')
  return true
}
