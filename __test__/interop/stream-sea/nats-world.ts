// Servers of ours on a log on NATS, and what tests need around them.
import type { ExecutionContext } from 'ava'
import { StreamSeaClient, StreamSeaServer } from '../../../ts/stream-sea/index.js'

export const SECRET = '01234567890123456789'
export const FIELDS = [{ name: 'n', type: 'integer' }] as const
export const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => ({ n: from + index }))

/** A server on the log, and what its clients need. */
export async function serve(t: ExecutionContext, log: string) {
  const server = await StreamSeaServer.open({ log })
  t.teardown(() => server.close())
  if (server.directory.client('app123') === undefined) await server.addClient('main', 'app123', { secret: SECRET })
  const [, remotePort] = await server.listen(0)
  const remote = { remoteHost: '127.0.0.1', remotePort, clientId: 'app123', clientSecret: SECRET }
  const client = async (): Promise<StreamSeaClient> => {
    const made = new StreamSeaClient({ ...remote, reconnect: false })
    t.teardown(() => made.close())
    await made.connect()
    return made
  }
  return { server, remote, client }
}

/** Resolves when a condition is met; rejects when it is not in time, 20 s unless told. */
export async function until(met: () => boolean | Promise<boolean>, patience = 20_000): Promise<void> {
  const end = Date.now() + patience
  while (!(await met())) {
    if (Date.now() > end) throw new Error('it did not come')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
