import { createSocket, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { sessionError } from '../session/error-codes.js'
import { decodeChirp, encodeChirp } from './codec.js'
import { hostId } from './host-id.js'
import type { DiscoveredService, Service } from './service.js'

const GROUP_ADDRESS = '239.192.7.123'
const PORT = 7123
const TTL = 8
const LOOPBACK = '127.0.0.1'
const KIND = { REQUEST: 1, OFFER: 2, DEPART: 3 } as const

/** What discovery is made of. */
export interface ChirpOptions {
  /** The constellation's name; upper and lower case are the same. */
  readonly group: string
  /** The canonical name of who speaks. */
  readonly host: string
  /** IPv4 addresses of the interfaces; all, and the loopback, unless told. */
  readonly interfaces?: readonly string[]
  /** A service was offered, at a new place where it was known already. */
  readonly onOffer?: (service: DiscoveredService) => void
  /** A known service is gone. */
  readonly onDepart?: (service: DiscoveredService) => void
}

/** Finds the services of a constellation by multicast, and offers one's own. */
export class Chirp {
  readonly #options: ChirpOptions
  readonly #group: Buffer
  readonly #host: Buffer
  readonly #hostUuid: string
  readonly #offered = new Map<Service, number>()
  readonly #found = new Map<string, DiscoveredService>()
  #listener: Socket | undefined
  #senders: Socket[] = []

  constructor(options: ChirpOptions) {
    this.#options = options
    this.#hostUuid = hostId(options.host)
    this.#group = Buffer.from(hostId(options.group), 'hex')
    this.#host = Buffer.from(this.#hostUuid, 'hex')
  }

  /** Joins the multicast group. */
  async open(): Promise<void> {
    const interfaces = this.#options.interfaces ?? allInterfaces()
    try {
      this.#listener = await bound(PORT)
      for (const address of interfaces) {
        this.#listener.addMembership(GROUP_ADDRESS, address)
        const sender = await bound(0, address)
        sender.setMulticastInterface(address)
        sender.setMulticastTTL(TTL)
        sender.setMulticastLoopback(address === LOOPBACK)
        this.#senders.push(sender)
      }
    } catch (cause) {
      this.close()
      throw sessionError('ERR_SESSION_CONNECT_FAILED', `CHIRP cannot use UDP port ${PORT}: ${cause}`, { cause })
    }
    this.#listener.on('message', (datagram, { address }) => this.#take(datagram, address))
  }

  /** The services found so far. */
  services(service?: Service): DiscoveredService[] {
    return [...this.#found.values()].filter(({ serviceId }) => service === undefined || serviceId === service)
  }

  /** A service of a host by its canonical name. */
  find(name: string, service: Service): DiscoveredService | undefined {
    return this.#found.get(`${hostId(name)} ${service}`)
  }

  /** Offers a service until it is withdrawn or the discovery is closed. */
  offer(service: Service, port: number): void {
    this.#offered.set(service, port)
    this.#send(KIND.OFFER, service, port)
  }

  /** Withdraws a service. */
  depart(service: Service): void {
    const port = this.#offered.get(service)
    if (port === undefined) return
    this.#offered.delete(service)
    this.#send(KIND.DEPART, service, port)
  }

  /** Asks who offers a service. */
  request(service: Service): void {
    this.#send(KIND.REQUEST, service, 0)
  }

  /** Forgets a host that is known to be dead. */
  forget(hostUuid: string): void {
    for (const [key, service] of this.#found) if (service.hostUuid === hostUuid) this.#found.delete(key)
  }

  /** Withdraws everything and leaves; the last datagrams are sent first. */
  async leave(): Promise<void> {
    for (const service of [...this.#offered.keys()]) this.depart(service)
    await new Promise((resolve) => setImmediate(resolve))
    this.close()
  }

  /** Leaves at once. */
  close(): void {
    for (const socket of [this.#listener, ...this.#senders]) socket?.close()
    this.#listener = undefined
    this.#senders = []
  }

  #send(kind: number, service: Service, port: number): void {
    const datagram = encodeChirp({ kind, group: this.#group, host: this.#host, service, port })
    for (const sender of this.#senders) sender.send(datagram, PORT, GROUP_ADDRESS)
  }

  #take(datagram: Uint8Array, address: string): void {
    let beacon: ReturnType<typeof decodeChirp>
    try {
      beacon = decodeChirp(datagram)
    } catch {
      // Others may use the port; what is no beacon is nobody's loss.
      return
    }
    if (!this.#group.equals(beacon.group) || this.#host.equals(beacon.host)) return
    const serviceId = beacon.service as Service
    if (beacon.kind === KIND.REQUEST) {
      const port = this.#offered.get(serviceId)
      if (port !== undefined) this.#send(KIND.OFFER, serviceId, port)
      return
    }
    const hostUuid = Buffer.from(beacon.host).toString('hex')
    const key = `${hostUuid} ${serviceId}`
    const known = this.#found.get(key)
    if (beacon.kind === KIND.DEPART) {
      if (known === undefined) return
      this.#found.delete(key)
      this.#options.onDepart?.(known)
      return
    }
    if (known?.port === beacon.port) return
    const service: DiscoveredService = { hostUuid, serviceId, address, port: beacon.port }
    this.#found.set(key, service)
    this.#options.onOffer?.(service)
  }
}

function allInterfaces(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((some) => some ?? [])
  const own = addresses.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address)
  return [...new Set([...own, LOOPBACK])]
}

function bound(port: number, address?: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    socket.once('error', reject)
    socket.bind({ port, ...(address === undefined ? {} : { address }) }, () => {
      socket.off('error', reject)
      // A datagram that an interface refuses is as good as lost on the way.
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}
