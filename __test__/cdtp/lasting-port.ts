import { once } from 'node:events'
import { createServer } from 'node:net'

const [FIRST, COUNT] = [20_000, 10_000]

/**
 * A port that nobody takes between two binds of a test: free, and below those that the system gives to whoever connects.
 */
export async function lastingPort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
