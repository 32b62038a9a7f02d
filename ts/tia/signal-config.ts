import { tiaError } from './error-codes.js'
import { bitOf, TIA_SIG_USER_1 } from './signal-type.js'

/** Gives a block of a signal: channels x blocksize values, channel after channel; nothing where there is none. */
export type SignalCallback<Id = unknown> = {
  // A method's parameter, so that signals with ids of any type stand in one list.
  call(id: Id): ArrayLike<number> | null | undefined
}['call']

/** What a signal is made of. */
export interface SignalOptions<Id = unknown> {
  readonly channels: number
  /** Samples per second of a channel; 0 for an aperiodic signal. */
  readonly sampleRate: number
  /** Samples per channel of a block. */
  readonly blocksize: number
  /** Asked for every block when it is due; without, blocks come by `server.push`. */
  readonly callback?: SignalCallback<Id>
  /** Given to the callback, and names the signal to `server.push`. */
  readonly id: Id
  /** Whether its blocks pace the packets; exactly one signal's do. `true` unless told. */
  readonly isMaster?: boolean
  /** One of the `TIA_SIG_` constants; `TIA_SIG_USER_1` unless told. */
  readonly sigtype?: number
  /** Labels of the channels; `channel1`, ... unless told. */
  readonly labels?: readonly string[]
}

/**
 * A signal of a server.
 *
 * ```ts
 * new TiASignalConfig({ channels: 3, sampleRate: 50, blocksize: 1, callback: (id) => [1, 2, 3], id: 0 })
 * ```
 */
export class TiASignalConfig<Id = unknown> {
  readonly channels: number
  readonly sampleRate: number
  readonly blocksize: number
  readonly callback: SignalCallback<Id> | undefined
  readonly id: Id
  readonly isMaster: boolean
  readonly sigtype: number
  readonly labels: readonly string[]

  constructor({
    channels,
    sampleRate,
    blocksize,
    callback,
    id,
    isMaster = true,
    sigtype = TIA_SIG_USER_1,
    labels = Array.from({ length: channels }, (_, index) => `channel${index + 1}`),
  }: SignalOptions<Id>) {
    for (const [name, value] of Object.entries({ channels, blocksize })) {
      if (!Number.isInteger(value) || value < 1 || value > 65_535) {
        throw tiaError('ERR_TIA_SIGNAL_SHAPE', `${name} is a whole number from 1 to 65,535, not ${value}`)
      }
    }
    if (!Number.isFinite(sampleRate) || sampleRate < 0 || (isMaster && callback !== undefined && sampleRate === 0)) {
      throw tiaError('ERR_TIA_OPTION_INVALID', `sampleRate of a signal cannot be ${sampleRate}`)
    }
    if (labels.length !== channels) {
      throw tiaError('ERR_TIA_OPTION_INVALID', `${labels.length} labels for ${channels} channels`)
    }
    bitOf(sigtype)
    this.channels = channels
    this.sampleRate = sampleRate
    this.blocksize = blocksize
    this.callback = callback
    this.id = id
    this.isMaster = isMaster
    this.sigtype = sigtype
    this.labels = labels
  }

  /** Samples of a block. */
  get samples(): number {
    return this.channels * this.blocksize
  }
}
