import { sleep } from '../session/index.js'
import type { SttpDownlink } from './codec.js'
import { type FetchHost, HistoryFetch } from './history-fetch.js'
import { DroppedRows, Interruption, type MissingRows, merged, Run } from './missing-rows.js'

/** How far gaps are fetched back. */
export interface GapRecoveryOptions {
  /** ms; gaps that began longer ago stay open. 24 hours unless told. */
  readonly maxAge?: number
  /** Measurements per second at which a gap is fetched back at most; 1,000,000 unless told. */
  readonly maxRate?: number
  /** Gaps that may wait to be fetched back; those beyond stay open. 16 unless told. */
  readonly maxGaps?: number
  /** How often one gap is tried; 3 times unless told. */
  readonly attempts?: number
  /** ms from the gap's end to the request, so that the publisher has stored what it had under way; 2,000 unless told. */
  readonly delay?: number
  /** ms by which the measurements of one moment may come apart; 10,000 unless told. */
  readonly overlap?: number
}

/** What the recovery needs of its subscriber. */
export interface RecoveryHost extends Omit<FetchHost, 'recovered'> {
  /** When a record of the ledger began, ns since 1970-01-01 UTC. */
  began(record: number): bigint
  /** Rows that records say are missing have come. */
  recovered(records: ReadonlySet<number>, rows: number): void
  /** All rows that a record says are missing have come. */
  closed(record: number): void
  tell(state: string, detail: Readonly<Record<string, unknown>>): void
}

const DAY = 86_400_000
const NS_PER_MS = 1_000_000n

/**
 * Fetches back what the ledger says is missing, by a historical subscription on a second connection: what was missed
 * while the connection was broken, what could not be decoded, what the own queue gave up. For every signal those rows
 * are taken that lie between the last that came before and the first that came behind, so that none comes twice.
 */
export class GapRecovery {
  readonly #host: RecoveryHost
  readonly #options: Required<GapRecoveryOptions>
  readonly #waiting: MissingRows[] = []
  /** Records of which some rows are not fetched back. */
  readonly #kept = new Set<number>()
  /** The rows of the newest connection, and what is missing before the first of them. */
  #line = lineBehind(undefined, undefined)
  /** What is missing before the rows that come now. */
  #newest = this.#line.interruption
  #downlink: SttpDownlink | undefined
  #dropped: DroppedRows | undefined
  /** Up to which time each signal is complete because it was fetched back. */
  #settled = new BigInt64Array(0)
  /** The publisher gives no history: it is not asked again. */
  #isRefused = false
  #working: Promise<void> | undefined

  constructor(host: RecoveryHost, options: GapRecoveryOptions = {}) {
    this.#host = host
    this.#options = { maxAge: DAY, maxRate: 1e6, maxGaps: 16, attempts: 3, delay: 2000, overlap: 10_000, ...options }
  }

  /** Another connection is made: its downlink notes what comes. */
  connection(downlink: SttpDownlink): void {
    const line = lineBehind(this.#line.run, this.#newest)
    this.#downlink = downlink
    downlink.note(line.run.times)
    this.#line = line
    this.#newest = line.interruption
  }

  /** The newest connection stands behind one that broke: a record says that. */
  reconnected(record: number): void {
    this.#enqueue(this.#line.interruption, record)
  }

  /** Rows are missing behind the last that came, a record says. */
  missed(record: number): void {
    if (!this.#line.run.isEmpty) {
      this.#line.run = new Run(this.#line.run)
      this.#downlink?.note(this.#line.run.times)
      this.#newest = new Interruption(this.#line.run)
    }
    this.#enqueue(this.#newest, record)
  }

  /** The own queue gave up the rows of a block, a record says. */
  dropped(record: number, block: Uint8Array): void {
    this.#dropped ??= new DroppedRows()
    this.#dropped.observe(block)
    this.#enqueue(this.#dropped, record)
  }

  /** The consumer has caught up: what is dropped later is another loss. */
  relieved(): void {
    if (this.#dropped !== undefined) this.#dropped.isBounded = true
    this.#dropped = undefined
  }

  /** Nothing more will come; resolves when nothing waits to be fetched back. */
  async end(): Promise<void> {
    this.#newest.end = this.#host.clock.now()
    await this.#working
  }

  #enqueue(missing: MissingRows, record: number): void {
    if (this.#isRefused) return
    missing.records.add(record)
    if (this.#waiting.includes(missing)) return
    if (this.#waiting.length >= this.#options.maxGaps) {
      this.#keep([record], `${this.#waiting.length} gaps wait already`)
      return
    }
    this.#waiting.push(missing)
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
    })
  }

  #keep(records: Iterable<number>, reason: string): void {
    for (const gap of records) {
      if (this.#kept.has(gap)) continue
      this.#kept.add(gap)
      this.#host.tell('gap-kept', { gap, reason })
    }
  }

  async #work(): Promise<void> {
    const { clock, signal } = this.#host
    try {
      while (this.#waiting.length > 0 && !this.#isRefused) {
        const missing = this.#waiting.find(({ isBounded }) => isBounded)
        await sleep(clock, this.#options.delay, signal)
        if (missing === undefined) continue
        const isWhole = await this.#recover(missing)
        this.#waiting.splice(this.#waiting.indexOf(missing), 1)
        if (isWhole) this.#close(missing)
      }
    } catch {
      // The session ends: what waits stays open in the ledger.
    }
  }

  /** Closes those records of which nothing waits any more. */
  #close({ records }: MissingRows): void {
    for (const record of records) {
      const isOpen = this.#kept.has(record) || this.#waiting.some((missing) => missing.records.has(record))
      if (!isOpen) this.#host.closed(record)
    }
  }

  /** Fetches missing rows back; gives whether all of them came. */
  async #recover(missing: MissingRows): Promise<boolean> {
    const { attempts, maxAge, overlap } = this.#options
    const { records } = missing
    const gap = records.values().next().value as number
    const age = Number((this.#host.clock.now() - this.#host.began(gap)) / NS_PER_MS)
    if (age > maxAge) {
      this.#keep(records, `it is ${Math.round(age / 1000)} s old`)
      return false
    }
    const range = missing.range(BigInt(Math.round(overlap)) * NS_PER_MS, this.#settled)
    if (range === undefined) {
      this.#keep(records, 'nothing came before it, or nothing later behind it')
      return false
    }
    const recovered = (rows: number): void => this.#host.recovered(records, rows)
    const fetch = new HistoryFetch({ ...this.#host, recovered }, range, this.#options.maxRate)
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const limits = { from: String(range.start), to: String(range.stop) }
      this.#host.tell('recovering', { gap, attempt, ...limits })
      try {
        await fetch.run()
        this.#settled = merged(this.#settled, missing.settled(range))
        this.#host.tell('recovered', { gap, measurements: fetch.rows })
        return true
      } catch (error) {
        const { code, message } = error as Error & { code?: string }
        this.#host.signal.throwIfAborted()
        this.#isRefused = code === 'ERR_STTP_SUBSCRIPTION_REFUSED' || code === 'ERR_STTP_HISTORY_IGNORED'
        this.#host.tell('recovery-failed', { gap, attempt, code: code ?? '', message })
        if (this.#isRefused) return false
        if (attempt < attempts) await sleep(this.#host.clock, this.#options.delay * 2 ** attempt, this.#host.signal)
      }
    }
    this.#keep(records, `${attempts} tries failed`)
    return false
  }
}

interface Line {
  run: Run
  readonly interruption: Interruption
}

/** The rows of a connection behind those of the one before; where nothing came on that one, what is missing goes on. */
function lineBehind(previous: Run | undefined, newest: Interruption | undefined): Line {
  const run = new Run(previous)
  if (newest === undefined || newest.isBounded) return { run, interruption: new Interruption(run) }
  newest.goOn(run)
  return { run, interruption: newest }
}
