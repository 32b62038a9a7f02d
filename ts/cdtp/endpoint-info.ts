import { sessionError } from '../session/error-codes.js'
import type { Network, SourceDescription } from '../session/index.js'
import { Controller } from './controller.js'
import { Service } from './service.js'

/** The greeting of a ZMTP 3.1 peer without security, which is no server. */
const GREETING = Buffer.concat([
  Buffer.from('ff00000000000000017f', 'hex'),
  Buffer.of(3, 1),
  Buffer.from('NULL'.padEnd(20, '\0')),
  Buffer.alloc(32),
])
const ANSWER_MS = 2000

/**
 * What listens at an address: it is greeted, as ZeroMQ does, and hung up on before it takes us for a receiver, so that no
 * message of a run is lost.
 */
export async function describeEndpoint(network: Network, host: string, port: number): Promise<SourceDescription> {
  const transport = await network.dial({ host, port })
  const ready = await new Promise<Buffer>((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const timer = setTimeout(() => reject(silent(host, port)), ANSWER_MS)
    transport.start({
      onChunk: (chunk) => {
        bytes = Buffer.concat([bytes, chunk])
        if (bytes.length < GREETING.length + 2 || bytes.length < GREETING.length + 2 + (bytes[65] as number)) return
        clearTimeout(timer)
        resolve(bytes)
      },
      onClose: () => {
        clearTimeout(timer)
        reject(silent(host, port))
      },
    })
    transport.write(GREETING)
  }).finally(() => transport.close())
  if (ready[0] !== 0xff || ready[9] !== 0x7f) throw silent(host, port)
  const socket =
    /Socket-Type[\s\S]{4}([A-Z]+)/.exec(ready.subarray(GREETING.length).toString('latin1'))?.[1] ?? 'unknown'
  const meta = {
    protocol: `ZMTP ${ready[10]}.${ready[11]}`,
    socket,
    role: socket === 'PUSH' ? 'a transmitter, for one receiver' : 'no transmitter',
  }
  return { peer: `cdtp://${host}:${port}`, quirks: [], clock: {}, meta }
}

function silent(host: string, port: number): Error {
  return sessionError('ERR_SESSION_CONNECT_REFUSED', `what listens at ${host}:${port} is no ZeroMQ socket`)
}

/** Who is in a group, and in which state. */
export async function describeGroup(
  group: string,
  interfaces: readonly string[] | undefined,
): Promise<SourceDescription> {
  await using controller = new Controller({ group, ...(interfaces === undefined ? {} : { interfaces }) })
  await controller.open()
  const meta: Record<string, string> = {}
  for (const name of await controller.discover()) {
    const state = await controller.state(name)
    const transmits = controller.find(name, Service.DATA) !== undefined
    meta[name] = transmits ? `${state}, transmits` : state
  }
  return { peer: `cdtp://${group}`, quirks: [], clock: {}, meta }
}
