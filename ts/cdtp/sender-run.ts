import type { Ledger } from '../session/ledger.js'
import type { Stats } from '../session/stats.js'
import type { StatusStream } from '../session/status.js'
import { SequenceAccount } from './codec.js'
import type { MessageIndex } from './message-index.js'
import { RunCondition } from './run-condition.js'
import { TransmitterState, type TransmitterStateSeq } from './transmitter-state.js'
import type { Values } from './value.js'

const LATE = 2
const DUPLICATE = 1

interface Books {
  readonly ledger: Ledger
  readonly stats: Stats
  readonly status: StatusStream
}

/** Sequence numbers, both ends included. */
export interface SequenceRange {
  readonly first: bigint
  readonly last: bigint
}

/** A gap and its record in the ledger. */
interface Gap extends SequenceRange {
  readonly id: number
}

/** Ranges remembered of each kind; later ones are only told as status events. */
const RANGE_LIMIT = 65_536

/** What a receiver keeps of one transmitter's run: where it is, and exactly what is missing, doubled or late. */
export class SenderRun {
  readonly sender: string
  /** The name of the run. */
  readonly run: string
  /** Numbers that came twice; both records were given out. */
  readonly duplicates: SequenceRange[] = []
  /** Numbers that came behind later ones. */
  readonly late: SequenceRange[] = []
  state: TransmitterState = TransmitterState.NOT_CONNECTED
  /** How the run went, as far as that is known. */
  condition: RunCondition = RunCondition.GOOD
  readonly #account = new SequenceAccount()
  readonly #books: Books
  /** The run's gaps in the order of their numbers. */
  readonly #gaps: Gap[] = []

  constructor(sender: string, run: string, books: Books) {
    this.sender = sender
    this.run = run
    this.#books = books
  }

  get stateSeq(): TransmitterStateSeq {
    return { state: this.state, seq: this.#account.highest, missed: this.#account.missing }
  }

  /** Its BOR came. */
  begin(): void {
    this.state = TransmitterState.BOR_RECEIVED
  }

  /** Some of its records came. */
  observe(index: MessageIndex): void {
    if (this.#account.observe(index.bytes)) this.#enter()
  }

  /**
   * Its EOR came. Gives the condition where it is another than the metadata say, so that they have to be changed.
   */
  end(metadata: Values, isDegraded: boolean): RunCondition | undefined {
    this.state = TransmitterState.EOR_RECEIVED
    const { data_records: last, condition_code: said } = metadata
    const isCounted = (typeof last === 'number' && last >= 0) || typeof last === 'bigint'
    if (isCounted && this.#account.close(BigInt(last))) this.#enter()
    // Fewer than were received is a sender that counts otherwise: the peers call that incomplete as well.
    const differs = isCounted && BigInt(last) !== this.#account.highest
    this.condition = typeof said === 'number' || typeof said === 'bigint' ? Number(said) : RunCondition.GOOD
    const own = this.#own(isDegraded) | (differs ? RunCondition.INCOMPLETE : 0)
    const sum = this.condition | own
    const isChanged = sum !== this.condition
    this.condition = sum
    return isChanged ? sum : undefined
  }

  /** It ends without an EOR; gives the condition of the substitute. */
  abort(isDegraded: boolean): RunCondition {
    this.state = TransmitterState.EOR_RECEIVED
    this.condition = RunCondition.ABORTED | this.#own(isDegraded)
    return this.condition
  }

  #own(isDegraded: boolean): RunCondition {
    const incomplete = this.#account.missing > 0n ? RunCondition.INCOMPLETE : 0
    return incomplete | (isDegraded ? RunCondition.DEGRADED : 0)
  }

  /** Enters what did not come as the next into the books. */
  #enter(): void {
    for (let some = this.#account.takeAnomalies(); some.length > 0; some = this.#account.takeAnomalies()) {
      for (const { kind, first, last } of some) this.#enterOne(kind, first, last)
    }
  }

  #enterOne(kind: number, first: bigint, last: bigint): void {
    const { ledger, stats, status } = this.#books
    const count = Number(last - first + 1n)
    const detail = { sender: this.sender, first, last }
    if (kind === DUPLICATE) {
      if (this.duplicates.length < RANGE_LIMIT) this.duplicates.push({ first, last })
      status.emit('duplicate', detail)
      return
    }
    if (kind === LATE) {
      stats.recovered += count
      if (this.late.length < RANGE_LIMIT) this.late.push({ first, last })
      const gap = this.#gapOf(first)
      if (gap !== undefined) ledger.recover(gap.id, count)
      status.emit('late', detail)
      return
    }
    stats.lost += count
    const id = ledger.add({ source: this.sender, run: this, cause: 'wire', firstSeq: first, lastSeq: last, count })
    this.#gaps.push({ id, first, last })
    if (this.#gaps.length >= 2 * RANGE_LIMIT) this.#gaps.splice(0, RANGE_LIMIT)
    status.emit('lost', { id, ...detail })
  }

  /** The gap that late numbers belong to: all of them to one, as between two gaps lies a number that came. */
  #gapOf(number: bigint): Gap | undefined {
    let [low, high] = [0, this.#gaps.length - 1]
    while (low <= high) {
      const middle = (low + high) >> 1
      const gap = this.#gaps[middle] as Gap
      if (number < gap.first) high = middle - 1
      else if (number > gap.last) low = middle + 1
      else return gap
    }
    return undefined
  }
}
