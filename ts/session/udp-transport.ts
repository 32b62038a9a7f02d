import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { DatagramGather, MAX_DATAGRAM } from './datagram-gather.js'
import { sessionError } from './error-codes.js'
import type { MeasurandError } from './errors.js'
import { connectError } from './stream-transport.js'
import type { DatagramEndpoint, Transport, TransportHandler } from './transport.js'
import { Overruns } from './udp-overruns.js'

const QUEUE_BYTES = 4 << 20
const HIGH_WATER_MARK = 1 << 20

/** Opens a UDP socket. */
export async function openUdp(endpoint: DatagramEndpoint): Promise<Transport> {
  const { host, port = 0, group, remote } = endpoint
  const isSix = isIPv6(host ?? group ?? remote?.host ?? '')
  // Several programs of a machine may receive a group.
  const reuseAddr = group !== undefined
  const socket = createSocket({ type: isSix ? 'udp6' : 'udp4', recvBufferSize: QUEUE_BYTES, reuseAddr })
  const where = remote === undefined ? `${host ?? ''}:${port}` : `${remote.host}:${remote.port}`
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ port, ...(host === undefined ? {} : { address: host }) }, () => {
        try {
          prepare(socket, endpoint)
        } catch (error) {
          reject(error)
          return
        }
        if (remote === undefined || remote.broadcast) resolve()
        else socket.connect(remote.port, remote.host, (error?: Error) => (error ? reject(error) : resolve()))
      })
    })
  } catch (error) {
    socket.on('error', () => {})
    socket.close()
    throw connectError(where, error as Error)
  }
  socket.removeAllListeners('error')
  return new UdpTransport(socket, endpoint, where)
}

/** What can be said to a socket only when it is bound. */
function prepare(socket: Socket, { group, groupInterface, groupTtl, remote }: DatagramEndpoint): void {
  if (remote?.broadcast) socket.setBroadcast(true)
  if (group !== undefined) socket.addMembership(group, groupInterface)
  if (groupTtl !== undefined) socket.setMulticastTTL(groupTtl)
  if (remote !== undefined && groupInterface !== undefined) socket.setMulticastInterface(groupInterface)
}

/** A UDP socket as a transport. What nobody listens to is lost, as datagrams are. */
class UdpTransport implements Transport {
  readonly peer: string
  readonly localPort: number
  bytesIn = 0
  bytesOut = 0
  queuedBytes = 0
  readonly #socket: Socket
  readonly #target: { readonly host: string; readonly port: number } | undefined
  readonly #from: string | undefined
  readonly #gather: DatagramGather
  #handler: TransportHandler | undefined
  #error: MeasurandError | undefined
  #isClosed = false
  #isEnding = false
  #mustDrain = false
  #overruns: Overruns | undefined

  constructor(socket: Socket, { remote, from, queueBytes = QUEUE_BYTES }: DatagramEndpoint, peer: string) {
    this.peer = peer
    this.localPort = socket.address().port
    this.#socket = socket
    this.#target = remote?.broadcast ? remote : undefined
    this.#from = from
    this.#gather = new DatagramGather(
      (bytes) => this.#handler?.onChunk(bytes),
      (datagrams, bytes) => this.#handler?.onDropped?.(datagrams, bytes),
      queueBytes,
    )
    this.#gather.pause()
    socket.on('message', (datagram, { address }) => {
      if (this.#from !== undefined && address !== this.#from) return
      this.bytesIn += datagram.length
      this.#gather.add(datagram)
    })
    // A connected socket hears that nobody listens there: that is no end of a datagram socket.
    socket.on('error', (error: Error & { code?: string }) => {
      if (error.code === 'ECONNREFUSED') return
      this.#error = sessionError('ERR_SESSION_CONNECTION_LOST', `the socket for ${peer} broke: ${error.message}`, {
        cause: error,
      })
      this.close()
    })
    socket.on('close', () => this.#handler?.onClose(this.#error))
  }

  start(handler: TransportHandler): void {
    this.#handler = handler
    if (this.#isClosed) queueMicrotask(() => handler.onClose(this.#error))
    else this.#gather.resume()
    if (handler.onOverrun === undefined || this.#isClosed) return
    this.#overruns = new Overruns(this.#socket.address(), (datagrams) => handler.onOverrun?.(datagrams))
  }

  write(bytes: Uint8Array | readonly Uint8Array[], done?: () => void): boolean {
    if (this.#isClosed || this.#isEnding) return false
    const datagrams = bytes instanceof Uint8Array ? [bytes] : bytes
    let total = 0
    for (const { length } of datagrams) {
      if (length > MAX_DATAGRAM) throw sessionError('ERR_SESSION_DATAGRAM_LENGTH', `a datagram of ${length} bytes`)
      total += length
    }
    this.queuedBytes += total
    this.bytesOut += total
    let left = datagrams.length
    const sent = (): void => {
      if (--left > 0) return
      this.queuedBytes -= total
      done?.()
      this.#settle()
    }
    const target = this.#target
    for (const datagram of datagrams) {
      if (target === undefined) this.#socket.send(datagram, sent)
      else this.#socket.send(datagram, target.port, target.host, sent)
    }
    this.#mustDrain ||= this.queuedBytes > HIGH_WATER_MARK
    return !this.#mustDrain
  }

  pause(): void {
    this.#gather.pause()
  }

  resume(): void {
    this.#gather.resume()
  }

  end(): void {
    this.#isEnding = true
    this.#settle()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#overruns?.close()
    this.#gather.close()
    this.#socket.close()
  }

  #settle(): void {
    if (this.#isEnding && this.queuedBytes === 0) this.close()
    if (!this.#mustDrain || this.queuedBytes > HIGH_WATER_MARK / 2) return
    this.#mustDrain = false
    this.#handler?.onDrain?.()
  }
}
