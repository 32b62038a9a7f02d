// Our counterparts of sat_tx.py and sat_rx.py.
import {
  type Configuration,
  type DataRecord,
  ReceiverSatellite,
  TransmitterSatellite,
  type Value,
  type Values,
  Verb,
} from '../../../ts/cdtp/index.js'
import { blocks, borTags, eorTags, tags } from './content.js'

export const interfaces = ['127.0.0.1']

/** Sends the records of content.ts in RUN. */
export class SatTx extends TransmitterSatellite {
  #records = 300
  #maxlen = 3000
  #skip = 0

  constructor(name: string, group: string) {
    super({ type: 'SatTx', name, group, interfaces })
  }

  protected override async doInitializing(configuration: Configuration) {
    this.#records = configuration.number('records', 300)
    this.#maxlen = configuration.number('maxlen', 3000)
    this.#skip = configuration.number('skip', 0)
    return `will send ${this.#records}`
  }

  protected override async doStarting() {
    this.bor = borTags(this.#records)
    return 'Started'
  }

  protected override async doStopping() {
    this.eor = eorTags(this.#records)
    return 'Stopped'
  }

  protected override async doRun() {
    // All of them, also where the run is stopped before: how fast they go is the machine's affair.
    for (let i = 1; i <= this.#records; i++) {
      const record = this.newDataRecord(tags(i))
      for (const block of blocks(i, this.#maxlen)) record.addBlock(block)
      if (i !== this.#skip) await this.sendDataRecord(record)
    }
    return 'Finished run'
  }
}

/** Verifies the records of content.ts; the command "verdict" says how the last run went. */
export class SatRx extends ReceiverSatellite {
  records = 0
  readonly ends: { sender: string; metadata: Values }[] = []
  #errors: string[] = []
  #maxlen = 3000
  #skip = 0
  #checkTags = true
  readonly #last = new Map<string, number>()

  constructor(name: string, group: string) {
    super({ type: 'SatRx', name, group, interfaces })
    this.addCommand('verdict', { description: 'Result of the last run', run: () => this.#verdict() })
  }

  protected override async doInitializing(configuration: Configuration) {
    this.#maxlen = configuration.number('maxlen', 3000)
    this.#skip = configuration.number('skip', 0)
    this.#checkTags = configuration.boolean('check_tags', true)
    return 'ready'
  }

  protected override async doStarting() {
    this.records = 0
    this.ends.length = 0
    this.#errors = []
    this.#last.clear()
    return 'Started'
  }

  protected override receiveData(sender: string, record: DataRecord) {
    const i = Number(record.sequenceNumber)
    const last = this.#last.get(sender) ?? 0
    const expected = last + 1 === this.#skip ? last + 2 : last + 1
    if (i !== expected) this.#errors.push(`sequence ${i} after ${last}`)
    this.#last.set(sender, i)
    this.records++
    const wanted = blocks(i, this.#maxlen)
    const same = record.blocks.every((block, j) => Buffer.compare(block, wanted[j] as Buffer) === 0)
    const tagged = !this.#checkTags || Object.keys(record.tags).length === Object.keys(tags(i)).length
    if (!tagged || !same || wanted.length !== record.blocks.length) this.#errors.push(`content of record ${i}`)
  }

  protected override receiveEor(sender: string, _: Values, metadata: Values) {
    this.ends.push({ sender, metadata })
  }

  #verdict() {
    if (this.ends.length !== 1) this.#errors.push(`${this.ends.length} EOR`)
    if (this.#errors.length > 0) return { text: `BAD ${this.#errors.slice(0, 5).join('; ')}` }
    const metadata = this.ends[0]?.metadata ?? {}
    const { condition_code: code } = metadata
    return { verb: Verb.SUCCESS, text: `OK ${this.records} ${code}`, payload: metadata as Value }
  }
}
