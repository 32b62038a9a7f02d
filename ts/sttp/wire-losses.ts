import type { Gap, StatusStream } from '../session/index.js'
import type { SttpControl, SttpFault } from './codec.js'

/** What wire losses tell their subscriber. */
export interface LossHost {
  readonly status: StatusStream
  readonly stats: { received: number; duplicate: number }
  now(): bigint
  lose(gap: Gap): number
  loseMore(id: number, gap: Omit<Gap, 'cause'>): void
  malformed(code: string, offset: number, length: number): number
  /** Measurements are missing behind the last that were decoded, a record says. */
  missed(record: number): void
}

/** Messages that carry measurements, by the codes of what is wrong with them. */
const OF_MEASUREMENTS = /^ERR_STTP_(COMPACT|PACKET|TSSC)_/

/** The losses of one subscriber's connections: those of a kind that follow one another are one record. */
export class WireLosses {
  readonly #host: LossHost
  readonly #open = new Map<string, number>()
  #dropped = 0
  #late = 0
  #toldLate = 0

  constructor(host: LossHost) {
    this.#host = host
  }

  /** What is lost from now on is another loss. */
  settle(): void {
    this.#open.clear()
  }

  /** Measurements of packets are missing, or have come twice. */
  take({ cause = '', firstSequence, lastSequence, measurements, bytes }: SttpControl): void {
    const host = this.#host
    if (cause === 'duplicate') {
      host.stats.received += measurements ?? 0
      host.stats.duplicate += measurements ?? 0
      return
    }
    const gap = {
      ...(firstSequence === undefined ? {} : { firstSeq: BigInt(firstSequence) }),
      ...(lastSequence === undefined ? {} : { lastSeq: BigInt(lastSequence) }),
      ...(measurements === undefined ? {} : { count: measurements }),
      ...(bytes === undefined || bytes === 0 ? {} : { bytes }),
    }
    if (cause === 'missing') host.missed(host.lose({ cause: 'wire', ...gap }))
    else host.missed(this.#add(cause, { cause: 'decoder', ...gap }))
  }

  /** Datagrams so far that were thrown away unread, and that came behind newer ones. */
  get datagrams(): { readonly datagramsDropped: number; readonly datagramsLate: number } {
    return { datagramsDropped: this.#dropped, datagramsLate: this.#late }
  }

  /** Datagrams came behind newer ones: nothing is missing, and it is told again when they are twice as many. */
  late(datagrams: number): void {
    this.#late += datagrams
    if (this.#late < 2 * this.#toldLate) return
    this.#toldLate = this.#late
    this.#host.status.emit('datagrams-late', { datagrams: this.#late })
  }

  /** Datagrams were thrown away unread, by the own queue or the system's: what was in them is not known. */
  dropped(datagrams: number, bytes: number | undefined): void {
    this.#dropped += datagrams
    const where = bytes === undefined ? 'system' : 'queue'
    this.#host.status.emit('datagrams-dropped', { datagrams, where })
    const to = this.#host.now()
    if (bytes === undefined) this.#add(where, { cause: 'wire', from: to, to })
    else this.#host.missed(this.#add(where, { cause: 'queue', bytes, from: to, to }))
  }

  /** A message could not be read. */
  failed({ code, offset, length, measurements }: SttpFault): void {
    if (measurements === undefined) {
      const record = this.#host.malformed(code, offset, length)
      if (OF_MEASUREMENTS.test(code)) this.#host.missed(record)
      return
    }
    this.#host.status.emit('malformed', { code, offset, length })
    this.#host.missed(this.#host.lose({ cause: 'decoder', count: measurements, bytes: length }))
  }

  #add(kind: string, gap: Gap): number {
    const known = this.#open.get(kind)
    if (known === undefined) {
      const record = this.#host.lose(gap)
      this.#open.set(kind, record)
      return record
    }
    this.#host.loseMore(known, gap)
    return known
  }
}
