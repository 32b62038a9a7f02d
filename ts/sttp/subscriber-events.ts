import type { MeasurementBatch } from '../batch/index.js'
import { type SourceOptions, SourceSession } from '../session/index.js'
import type { BufferBlock } from './buffer-block.js'
import type { DataSet } from './data-set.js'
import type { Measurement } from './measurement.js'
import { measurementAt } from './measurement-reader.js'

/** What a subscription gets. */
export interface SubscriptionUpdate {
  /** Signals of it. */
  readonly signals: number
  /** GUIDs of the signals that its filter names and the publisher does not permit. */
  readonly unauthorized: readonly string[]
}

/** Where a subscriber's messages for people go. */
export interface MessageOptions {
  /** Where messages for people go: stdout unless told; `false`: nowhere. */
  readonly statusMessage?: ((text: string) => void) | false
  /** Where messages of trouble go: stderr unless told; `false`: nowhere. */
  readonly errorMessage?: ((text: string) => void) | false
}

/** What a subscriber calls when something has come: functions that are assigned, the same as its status events. */
export abstract class SubscriberEvents extends SourceSession<MeasurementBatch> {
  readonly system = 'sttp'
  /** Called at every connection, also at one that came about again. */
  connectionEstablished: () => void = () => this.defaultConnectionEstablished()
  /** Called when a connection is over. */
  connectionTerminated: () => void = () => this.defaultConnectionTerminated()
  /** Called with the metadata when they have come. */
  metadataReceived: ((metadata: DataSet) => void) | undefined
  /** Called when the publisher has said which signals the subscription gets; before, none of them comes. */
  subscriptionUpdated: ((update: SubscriptionUpdate) => void) | undefined
  /** Called with the ticks of the first data of a subscription, where the publisher says them. */
  dataStartTimeReceived: ((ticks: bigint) => void) | undefined
  /** Called when the publisher's metadata have changed; they are asked for and subscribed again by itself, unless told. */
  configurationChanged: (() => void) | undefined
  /** Called for each buffer block; without, and without `recordBufferBlocks`, a block is a loss. */
  bufferBlockReceived: ((block: BufferBlock) => void) | undefined
  /** Called with each text that the publisher has for people; it is confirmed by itself. */
  notificationReceived: (text: string) => void = (text) => this.statusMessage(`NOTIFICATION: ${text}`)
  /** Called for each response of a publisher's own: its number, 0 to 15, and the code of the command that it answers. */
  userResponseReceived: ((number: number, payload: Uint8Array, command: number) => void) | undefined
  /** Called when a historical subscription is complete, with the publisher's words. */
  historicalReadComplete: (text: string) => void = (text) => this.statusMessage(text)
  /** Says something to people. */
  statusMessage: (text: string) => void
  /** Says of trouble to people. */
  errorMessage: (text: string) => void

  constructor(name: string, options: SourceOptions & MessageOptions) {
    super(name, options)
    const stream = (target: NodeJS.WriteStream) => (text: string) => void target.write(`${text}\n`)
    const quiet = (): void => {}
    const { statusMessage = stream(process.stdout), errorMessage = stream(process.stderr) } = options
    this.statusMessage = statusMessage === false ? quiet : statusMessage
    this.errorMessage = errorMessage === false ? quiet : errorMessage
  }

  /** Where the publisher is, `host:port`. */
  abstract get peer(): string

  /** Calls with the measurements as they come, as objects: the convenient way, and a slow one. In place of a loop. */
  set newMeasurements(call: (measurements: Measurement[]) => void) {
    const given = this.consume((batch) => call(Array.from(batch.value, (_, row) => measurementAt(batch, row))))
    given.catch((error: Error) => this.errorMessage(error.message))
  }

  /** What `connectionEstablished` does unless it is assigned. */
  defaultConnectionEstablished(): void {
    this.statusMessage(`Connection to ${this.peer} established.`)
  }

  /** What `connectionTerminated` does unless it is assigned. */
  defaultConnectionTerminated(): void {
    this.errorMessage(`Connection to ${this.peer} terminated.`)
  }
}
