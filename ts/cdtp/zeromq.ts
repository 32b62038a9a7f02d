import type * as Zmq from 'zeromq'
import { sessionError } from '../session/error-codes.js'
import { keepFreedMemory } from './codec.js'

export type { Zmq }

let loaded: Promise<typeof Zmq> | undefined

/** Free memory that is kept for the messages to come, bytes. */
const KEPT_BYTES = 96 << 20

/** The package `zeromq`, loaded when it is first needed. */
export function zeromq(): Promise<typeof Zmq> {
  if (loaded === undefined) keepFreedMemory(KEPT_BYTES)
  loaded ??= import('zeromq').catch((cause: unknown) => {
    loaded = undefined
    const command = 'CDTP needs the package zeromq: npm install zeromq'
    throw sessionError('ERR_SESSION_TRANSPORT_MISSING', command, { system: 'cdtp', cause })
  })
  return loaded
}

/** A socket that publishes at an endpoint and is told every subscription, as CHP and CMDP want it. */
export async function boundPublisher(endpoint: string): Promise<Zmq.XPublisher> {
  const { XPublisher } = await zeromq()
  const socket = new XPublisher({ linger: 2000 })
  socket.verbosity = 'allSubsUnsubs'
  await socket.bind(endpoint)
  return socket
}

/** Whether a send or receive ended because its time was over. */
export function isTimeout(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === 'EAGAIN'
}

/** Whether a call ended because the socket was closed. */
export function isClosed(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code
  return code === 'EBADF' || code === 'ETERM' || code === 'ENOTSOCK'
}

/** The port that a socket got. */
export function portOf(socket: { readonly lastEndpoint: string | null }): number {
  return Number(/:(\d+)$/.exec(socket.lastEndpoint ?? '')?.[1] ?? 0)
}

/** How many messages a pipe of ZeroMQ may hold so that it keeps to a bound in bytes. */
export function highWaterMark(queueBytes: number, messageBytes: number): number {
  return Math.max(2, Math.min(1000, Math.floor(queueBytes / 2 / Math.max(messageBytes, 65_536))))
}

/** Seconds (negative: for ever) as ZeroMQ's milliseconds. */
export function timeoutMs(seconds: number): number {
  return seconds < 0 ? -1 : Math.round(seconds * 1000)
}
