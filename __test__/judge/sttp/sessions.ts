// Judges whole sessions, frame by frame: every frame is what the recorder calls it, nothing is malformed or lost, every
// packet has as many measurements as it says, and those of known values are right.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Block } from '../../../ts/batch/index.js'
import { SttpUplink } from '../../../ts/sttp/codec.js'
import { guidText } from '../../../ts/sttp/measurement.js'
import { commandName, responseName } from '../../../ts/sttp/wire-lines.js'
import { WireReader } from '../../../ts/sttp/wire-reader.js'
import type { Verdict } from '../main.js'
import { isKnownSignal, KnownValues } from './known-values.js'
import { rowTicks } from './wire.js'

interface Frame {
  readonly dir: 'sub>pub' | 'pub>sub'
  readonly what: string
  readonly hex: string
}

/** Bytes of a frame up to the flags of its data packet, and those of a compact measurement with full ticks. */
const PACKET_HEAD_BYTES = 11
const COMPACT_BYTES = 17

export function* judgeSessions(folder: string): Generator<Verdict> {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.jsonl'))) {
    const lines = readFileSync(join(folder, file), 'utf8').trim().split('\n')
    const session = new Session()
    let wrong: string | undefined
    for (const [number, line] of lines.entries()) {
      wrong = session.take(JSON.parse(line) as Frame)
      if (wrong !== undefined) {
        wrong = `frame ${number}: ${wrong}`
        break
      }
    }
    wrong ??= session.end()
    const detail = wrong ?? `${lines.length} frames, ${session.summary}`
    yield { case: `sessions/${basename(file, '.jsonl')}`, passed: wrong === undefined, detail }
  }
}

class Session {
  readonly #uplink = new SttpUplink()
  readonly #reader = new WireReader({ reportPackets: true })
  readonly #known = new KnownValues()
  readonly #quirks: string[] = []
  #ids: string[] = []
  #isCompact = false
  #declared = 0
  /** Records that packets without a count have by their length. */
  #fitting = 0
  #rows = 0

  take({ dir, what, hex }: Frame): string | undefined {
    const bytes = Buffer.from(hex, 'hex')
    const [name] = what.split(' re ')
    const found = dir === 'sub>pub' ? this.#command(bytes) : this.#response(bytes)
    return found === name ? undefined : `${found} where ${what} was recorded`
  }

  end(): string | undefined {
    const expected = this.#quirks.includes('compact-without-count') ? this.#fitting : this.#declared
    if (this.#rows !== expected) return `${this.#rows} measurements of ${expected}`
    return this.#known.wrong
  }

  get summary(): string {
    const known = this.#known.checked > 0 ? `${this.#known.checked} of them checked by value` : 'values not known'
    const quirks = this.#quirks.length > 0 ? `; quirks ${this.#quirks.join(', ')}` : ''
    return `${this.#rows} measurements, ${known}${quirks}`
  }

  #command(bytes: Buffer): string {
    if (this.#uplink.decode(bytes) !== 1) return 'not one command'
    const command = this.#uplink.takeCommand()
    if (command === null || command.error !== undefined) return `malformed: ${command?.message}`
    const { downlink } = this.#reader
    if (command.modes !== undefined) downlink.setModes(command.modes)
    const { subscription } = command
    if (subscription !== undefined) {
      downlink.setTimeForm(subscription.includeTime !== false, subscription.useMillisecondResolution === true)
    }
    return commandName(command)
  }

  #response(bytes: Buffer): string {
    let name = 'nothing'
    for (const item of this.#reader.read(bytes)) {
      if (item.kind === 'fault' || item.kind === 'lost') return `${item.fault.code}: ${item.fault.message}`
      if (item.kind === 'rows') {
        this.#check(item.block)
        continue
      }
      const { control } = item
      if (control.type === 'loss') return `loss: ${control.cause}`
      if (control.type === 'quirk') {
        this.#quirks.push(control.quirk as string)
        continue
      }
      name = responseName(control)
      if (control.type === 'packet') {
        this.#isCompact = ((control.flags as number) & 2) !== 0
        this.#declared += control.count as number
        this.#fitting += ((control.length as number) - PACKET_HEAD_BYTES) / COMPACT_BYTES
      } else if (control.type === 'signalIndexCache') {
        const ids = control.signalIds as Uint8Array
        const first = this.#ids.length
        for (let at = 0; at < ids.length; at += 16) this.#ids.push(guidText(ids.subarray(at)))
        this.#reader.downlink.assignRows(Uint32Array.from({ length: ids.length / 16 }, (_, record) => first + record))
      }
    }
    return name
  }

  #check(block: Block): void {
    for (let row = 0; row < block.count; row++) {
      this.#rows++
      const id = this.#ids[block.signal[row] as number] as string
      if (!isKnownSignal(id)) continue
      this.#known.check(
        id,
        rowTicks(block, row) ?? 0n,
        block.value[row] as number,
        block.flags[row] as number,
        this.#isCompact,
      )
    }
  }
}
