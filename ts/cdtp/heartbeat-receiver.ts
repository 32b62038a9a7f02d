import type { Clock, Timer } from '../session/clock.js'
import { decodeChp } from './codec.js'
import { stateName } from './satellite-state.js'
import type { DiscoveredService } from './service.js'
import { isClosed, type Zmq, zeromq } from './zeromq.js'

const LIVES = 3
const CHECK_MS = 300
const PATIENCE = 1.5

/** What is known of another satellite. */
export interface Remote {
  readonly name: string
  readonly hostUuid: string
  /** A state's name; `DEAD` when it was silent for too long. */
  readonly state: string
  /** Bits of `HeartbeatFlag`, without that of the extrasystole. */
  readonly flags: number
  readonly status: string
  /** How many intervals it may still miss. */
  readonly lives: number
  /** Milliseconds. */
  readonly interval: number
}

/** What is taken of one that was not heard yet. */
const UNHEARD = { name: '', state: 'NEW', flags: 0, status: '', interval: 30_000 }

type Tracked = { -readonly [K in keyof Remote]: Remote[K] } & { socket: Zmq.Subscriber; last: number }

/** What is told of the others. */
export interface HeartbeatHandler {
  /** A satellite changed its state, or was heard for the first time. */
  onState?(remote: Remote): void
  /** A satellite was silent for too long. */
  onDead?(remote: Remote): void
}

/** Listens to the heartbeats of the others. */
export class HeartbeatReceiver {
  readonly #clock: Clock
  readonly #handler: HeartbeatHandler
  readonly #remotes = new Map<string, Tracked>()
  #timer: Timer | undefined
  #isClosed = false

  constructor(clock: Clock, handler: HeartbeatHandler) {
    this.#clock = clock
    this.#handler = handler
    this.#check()
  }

  /** All that were heard. */
  get remotes(): Remote[] {
    return [...this.#remotes.values()].filter(({ name }) => name !== '')
  }

  /** One by its canonical name. */
  remote(name: string): Remote | undefined {
    return this.remotes.find((remote) => remote.name.toLowerCase() === name.toLowerCase())
  }

  /** Listens to a host from now on. */
  async add(service: DiscoveredService): Promise<void> {
    const { Subscriber } = await zeromq()
    if (this.#isClosed) return
    const known = this.#remotes.get(service.hostUuid)
    known?.socket.close()
    const socket = new Subscriber({ linger: 0 })
    socket.connect(`tcp://${service.address}:${service.port}`)
    socket.subscribe('')
    // One that moved keeps what it said of itself: it has to be heard at its new place as often as at the old one.
    const { name, state, flags, status, interval } = known ?? UNHEARD
    const { hostUuid } = service
    const last = this.#clock.elapsed()
    const remote: Tracked = { name, hostUuid, state, flags, status, lives: LIVES, interval, socket, last }
    this.#remotes.set(service.hostUuid, remote)
    void this.#listen(remote)
  }

  /** A host departed; gives what was known of it. */
  remove(hostUuid: string): Remote | undefined {
    const remote = this.#remotes.get(hostUuid)
    remote?.socket.close()
    this.#remotes.delete(hostUuid)
    return remote
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    for (const { socket } of this.#remotes.values()) socket.close()
    this.#remotes.clear()
  }

  async #listen(remote: Tracked): Promise<void> {
    try {
      for await (const frames of remote.socket) this.#take(remote, frames)
    } catch (error) {
      if (!isClosed(error)) throw error
    }
  }

  #take(remote: Tracked, frames: Uint8Array[]): void {
    let beat: ReturnType<typeof decodeChp>
    try {
      beat = decodeChp(frames)
    } catch {
      // A heartbeat that cannot be read is one that did not come: it costs its sender a life.
      return
    }
    const state = stateName(beat.state)
    const isNews = remote.name === '' || remote.state !== state
    Object.assign(remote, { name: beat.sender, state, flags: beat.flags & 0x7f, interval: beat.interval })
    if (beat.status) remote.status = beat.status
    remote.lives = LIVES
    remote.last = this.#clock.elapsed()
    if (isNews) this.#handler.onState?.(remote)
  }

  #check(): void {
    const now = this.#clock.elapsed()
    for (const remote of this.#remotes.values()) {
      if (remote.lives === 0 || now - remote.last <= remote.interval * PATIENCE) continue
      remote.last = now
      if (--remote.lives > 0 || remote.name === '') continue
      remote.state = 'DEAD'
      this.#handler.onDead?.(remote)
    }
    this.#timer = this.#clock.after(CHECK_MS, () => {
      if (!this.#isClosed) this.#check()
    })
  }
}
