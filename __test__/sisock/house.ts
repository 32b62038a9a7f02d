import type { ExecutionContext } from 'ava'
import type { StatusEvent, StatusStream } from '../../ts/session/status.js'
import { DataNodeConsumer, type DataNodeConsumerConfig } from '../../ts/sisock/data-node-consumer.js'
import { DataNodeHub, type DataNodeHubConfig } from '../../ts/sisock/data-node-hub.js'
import { WampRouter, type WampRouterOptions } from '../../ts/sisock/router/router.js'

export const USERS = {
  server: { secret: 'server-secret', role: 'server' },
  simonsobs: { secret: 'consumer-secret', role: 'consumer' },
  salted: { secret: 'salted-secret', role: 'consumer', salt: 'salt123', iterations: 100, keylen: 32 },
} as const

/** Resolves with the next event of a state. */
export function state(status: StatusStream, name: string): Promise<StatusEvent> {
  return new Promise((resolve) => {
    const stop = status.on((event) => {
      if (event.state !== name) return
      stop()
      resolve(event)
    })
  })
}

/** A router, and what joins it; all is closed when the test ends. */
export async function house(t: ExecutionContext, options: Partial<WampRouterOptions> = {}) {
  const ends: (() => Promise<unknown>)[] = []
  t.teardown(async () => {
    for (const end of ends.reverse()) await end()
  })
  const router = new WampRouter({ users: USERS, ...options })
  const port = await router.listen(0)
  ends.push(() => router.close())
  const url = `ws://127.0.0.1:${port}/ws`
  const server = { url, user: 'server', secret: USERS.server.secret, reconnect: { minDelay: 20, maxDelay: 50 } }
  return {
    router,
    port,
    url,
    server,
    keep<T extends { close(): Promise<unknown> }>(thing: T): T {
      ends.push(() => thing.close())
      return thing
    },
    async hub(config: DataNodeHubConfig = {}): Promise<DataNodeHub> {
      const hub = this.keep(new DataNodeHub({ ...server, ...config }))
      await hub.connect()
      return hub
    },
    async consumer(config: DataNodeConsumerConfig = {}): Promise<DataNodeConsumer> {
      const consumer = this.keep(
        new DataNodeConsumer({ ...server, user: 'simonsobs', secret: USERS.simonsobs.secret, ...config }),
      )
      await consumer.connect()
      return consumer
    },
  }
}
