// The codecs alone, one thread: in the crate (by criterion), and from Node through the addon in chunks of 64 KiB.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { Block } from '../../ts/batch/index.js'
import { SttpDownlink, SttpEncoder, sttpWriteResponse } from '../../ts/sttp/codec.js'
import type { Case, Contender, Sample } from '../harness/bench.js'
import { timedProcess } from '../harness/process.js'
import { sttpapiPython } from './sttpapi.js'

const ROOT = join(import.meta.dirname, '..', '..')
const CHUNK = 64 * 1024
/** As long as criterion measures. */
const ROUND_SECONDS = 1
const MODES = { tssc: 0xe000_0262, compact: 0xc000_0222 } as const
const QUOTED = 'quoted from a study on a Zen 5 machine of 2 cores'
const CPP = { 'tssc decode': 36.5, 'tssc encode': 37.8, 'compact decode': 15.5, 'compact encode': 18.7 } as const

/** M measurements/s of the codec alone that a study thought reasonable on that machine. */
const GOALS: Readonly<Record<string, number>> = {
  'tssc decode 1000': 215,
  'tssc encode 1000': 140,
  'compact decode 1000': 1000,
  'compact encode 1000': 700,
  'tssc decode 100000': 170,
  'tssc encode 100000': 120,
}

type Codec = keyof typeof MODES
type Direction = 'decode' | 'encode'
/** What the values of a signal do from frame to frame; criterion's names. */
type Shape = 'synchrophasor' | 'constant' | 'random'

/** What a case of the codecs measures. */
interface Work {
  readonly codec: Codec
  readonly direction: Direction
  readonly signals: number
  readonly frames: number
  readonly shape: Shape
}

/** Blocks of frames: random walks of frequencies, magnitudes and angles, rounded to float32; constants; random bits. */
function framesOf({ signals, frames, shape }: Work): Block[] {
  let state = signals
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state + 1) / 2 ** 32
  }
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
  const random = new Float32Array(new Uint32Array(1).buffer)
  const bits = new Uint32Array(random.buffer)
  const next = (k: number): number => {
    if (shape === 'random') {
      // Neither NaN nor infinity.
      bits[0] = (uniform() * 2 ** 32) & 0xff7f_ffff
      return random[0] as number
    }
    if (shape === 'synchrophasor') level[k] = (level[k] as number) + normal() * ([0.001, 10, 0.05][k % 3] as number)
    return Math.fround(level[k] as number)
  }
  const level = Float64Array.from({ length: signals }, (_, k) => [60, 132_790, normal() * 60][k % 3] as number)
  const most = Math.max(1, Math.floor(65_536 / signals))
  const blocks: Block[] = []
  for (let first = 0; first < frames; first += most) {
    const count = Math.min(most, frames - first)
    const block = new Block(count * signals)
    for (let n = first, row = 0; n < first + count; n++) {
      for (let k = 0; k < signals; k++, row++) {
        block.time[row] = 1_704_067_200_000_000_000n + BigInt(n) * 33_333_300n
        block.value[row] = next(k)
        block.signal[row] = k
      }
    }
    block.count = count * signals
    blocks.push(block)
  }
  return blocks
}

/** The wire of the blocks: the cache, then every frame. */
function wireOf(
  codec: Codec,
  signals: number,
  blocks: readonly Block[],
  out: Buffer,
): { cache: Buffer; length: number } {
  const encoder = new SttpEncoder(MODES[codec], true, false)
  const rows = Uint32Array.from({ length: signals }, (_, k) => k)
  encoder.setSignals(rows, 0)
  const result = new Uint32Array(2)
  let length = 0
  for (const block of blocks) {
    for (let first = 0; first < block.count; ) {
      const taken = encoder.encode(block.bytes, first, out, length, result)
      if (taken === 0) throw new Error('the buffer is too small')
      first += taken
      length += result[0] as number
    }
  }
  const cache = {
    type: 'signalIndexCache',
    cacheIndex: 0,
    subscriberId: Buffer.alloc(16),
    indexes: Int32Array.from(rows),
    signalIds: Buffer.alloc(16 * signals, 1),
    sources: Array.from(rows, () => 'BENCH'),
    keyIds: BigUint64Array.from(rows, BigInt),
  }
  return { cache: sttpWriteResponse(cache, MODES[codec]), length }
}

/** Encodes blocks into one slab that is used again and again, as the publisher's are; gives the bytes. */
class SlabEncoder {
  readonly #encoder: SttpEncoder
  /** What it is told before each pass: TSSC starts anew with it. A publisher tells compact's once a subscription. */
  readonly #rows: Uint32Array | undefined
  readonly #slab = Buffer.alloc(256 * 1024)
  readonly #result = new Uint32Array(2)

  constructor(codec: Codec, signals: number) {
    this.#encoder = new SttpEncoder(MODES[codec], true, false)
    const rows = Uint32Array.from({ length: signals }, (_, k) => k)
    this.#encoder.setSignals(rows, 0)
    this.#rows = codec === 'tssc' ? rows : undefined
  }

  encode(blocks: readonly Block[]): number {
    if (this.#rows !== undefined) this.#encoder.setSignals(this.#rows, 0)
    let length = 0
    for (const block of blocks) {
      for (let first = 0; first < block.count; ) {
        const taken = this.#encoder.encode(block.bytes, first, this.#slab, 0, this.#result)
        if (taken === 0) throw new Error('the slab is too small')
        first += taken
        length += this.#result[0] as number
      }
    }
    return length
  }
}

/** Decodes a wire in chunks, again and again: a TSSC packet numbered 0 starts its decoder anew. */
class ChunkDecoder {
  readonly #downlink = new SttpDownlink()
  readonly #block = new Block(16_384)

  constructor(codec: Codec, cache: Buffer) {
    this.#downlink.setModes(MODES[codec])
    this.#feed(cache)
  }

  /** Gives the rows. */
  decode(chunks: readonly Uint8Array[], check?: (block: Block) => void): number {
    let rows = 0
    for (const chunk of chunks) rows += this.#feed(chunk, check)
    check?.(this.#block)
    rows += this.#block.count
    this.#block.clear()
    return rows
  }

  #feed(chunk: Uint8Array, check?: (block: Block) => void): number {
    const block = this.#block
    let rows = 0
    for (let from = 0; ; ) {
      const status = this.#downlink.decode(from === 0 ? chunk : chunk.subarray(from), block.bytes)
      from += block.consumed
      if (status === 0) return rows
      if (status > 2) throw new Error(JSON.stringify(this.#downlink.takeError()))
      if (status === 1) {
        check?.(block)
        rows += block.count
        block.clear()
      } else while (this.#downlink.takeControl() !== null);
    }
  }
}

function throughNode(work: Work): Contender {
  const { codec, direction, signals, frames } = work
  const blocks = framesOf(work)
  const items = signals * frames
  const out = Buffer.alloc(items * 20 + (1 << 20))
  const { cache, length } = wireOf(codec, signals, blocks, out)
  const wire = Uint8Array.from(out.subarray(0, length))
  // As a socket gives them: a view is made once and read once.
  const chunks = Array.from({ length: Math.ceil(length / CHUNK) }, (_, n) => wire.subarray(n * CHUNK, (n + 1) * CHUNK))
  const expected = blocks.map(({ value, count }) => value.subarray(0, count))
  const decoder = new ChunkDecoder(codec, cache)
  const encoder = new SlabEncoder(codec, signals)
  let isVerified = false
  return {
    who: 'measurand',
    async round(): Promise<Sample> {
      if (!isVerified) {
        let [which, at] = [0, 0]
        decoder.decode(chunks, ({ value, count }) => {
          for (let row = 0; row < count; row++, at++) {
            if (at === (expected[which] as Float64Array).length) [which, at] = [which + 1, 0]
            if (value[row] !== (expected[which] as Float64Array)[at]) throw new Error('a value came back as another')
          }
        })
        isVerified = true
      }
      let done = 0
      let seconds = 0
      for (const start = process.hrtime.bigint(); seconds < ROUND_SECONDS; done += items) {
        if (direction === 'decode') {
          const rows = decoder.decode(chunks)
          if (rows !== items) throw new Error(`${rows} rows, not ${items}`)
        } else if (encoder.encode(blocks) < length * 0.99) throw new Error('bytes are missing')
        seconds = Number(process.hrtime.bigint() - start) / 1e9
      }
      return { items: done, seconds }
    },
  }
}

/** Rates that criterion measures in the crate now, by the names of its cases. */
function criterion(...cases: readonly string[]): ReadonlyMap<string, number> {
  const filter = `^codec/(${cases.join('|')})$`
  const args = ['bench', '-p', 'measurand-sttp', '--bench', 'codec', '--quiet', '--', filter, '--noplot']
  const done = spawnSync('cargo', [...args, '--warm-up-time', '0.3', '--measurement-time', '1'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const found = done.stdout.matchAll(/^codec\/(.+?)\s+time:.*\s+thrpt:\s+\[\S+ \S+ ([\d.]+) ([KMG])elem\/s/gm)
  const scale = { K: 1e3, M: 1e6, G: 1e9 }
  const rates = new Map(
    Array.from(found, ([, name, rate, unit]) => [name as string, Number(rate) * scale[unit as keyof typeof scale]]),
  )
  if (cases.some((one) => !rates.has(one))) throw new Error(`no ${filter} of criterion: ${done.stdout}${done.stderr}`)
  return rates
}

/** What the crate alone does in this run: the codec, the same into the wire's own columns, or what a call from Node does. */
function inCrate({ codec, direction, signals, shape }: Work, what: 'codec' | 'wire' | 'frames'): Contender {
  const name = `${codec} ${direction} ${what === 'codec' ? '' : `${what} `}${signals} ${shape}`
  const suffix = { codec: 'alone', wire: 'alone, ticks and float32', frames: 'with frames' }[what]
  return {
    who: `measurand, the crate ${suffix}`,
    async round(): Promise<Sample> {
      return { items: criterion(name).get(name) as number, seconds: 1 }
    },
  }
}

/** Cycles that the codec alone takes for a measurement, by the clock that it ran at. */
function cyclesInCrate({ codec, direction, signals, shape }: Work): Contender {
  const name = `${codec} ${direction} ${signals} ${shape}`
  return {
    who: 'measurand',
    async round(): Promise<Sample> {
      const rates = criterion('clock', name)
      return { items: rates.get(name) as number, seconds: rates.get('clock') as number }
    },
  }
}

function inPython({ codec, direction, signals, shape }: Work): Contender {
  const program = join(import.meta.dirname, 'sttpapi_codec.py')
  const frames = Math.max(2, Math.floor(20_000 / signals))
  const args = [program, codec, direction, signals, frames, shape].map(String)
  return { who: 'sttpapi 0.7.6', round: () => timedProcess(sttpapiPython(), ['-W', 'ignore', ...args]) }
}

/** The cases of the codecs: `tssc decode 1000` is of synchrophasors, `tssc decode 1000 constant` of constants. */
export function* codecs(quick: boolean): Generator<Case> {
  const shapes: readonly Shape[] = quick ? ['synchrophasor'] : ['synchrophasor', 'constant', 'random']
  for (const shape of shapes) {
    for (const signals of quick ? [1000] : [20, 1000, 100_000]) {
      for (const codec of ['tssc', 'compact'] as const) {
        for (const direction of ['decode', 'encode'] as const) {
          // As many as criterion's case has: the wire of compact stays in the cache, as behind a socket's read.
          const rows = codec === 'compact' ? 30_000 : 300_000
          const frames = Math.max(codec === 'compact' ? 1 : 64, Math.floor(rows / signals))
          const work: Work = { codec, direction, signals, frames, shape }
          const name = `${codec} ${direction}` as const
          const isQuoted = shape === 'synchrophasor' && signals === 1000
          const title = `${name} ${signals}${shape === 'synchrophasor' ? '' : ` ${shape}`}`
          yield {
            case: title,
            unit: 'M measurements/s',
            per: 1e6,
            contenders: [
              throughNode(work),
              inCrate(work, 'frames'),
              inCrate(work, 'codec'),
              ...(name === 'tssc decode' ? [inCrate(work, 'wire')] : []),
              inPython(work),
              ...(isQuoted ? [{ who: 'cppapi 0c30753', quoted: CPP[name], source: QUOTED }] : []),
            ],
          }
          const goal = shape === 'synchrophasor' ? GOALS[`${name} ${signals}`] : undefined
          if (goal !== undefined) {
            yield {
              case: `${title}, cycles`,
              unit: 'cycles a measurement',
              value: ({ items, seconds }) => seconds / items,
              lowerIsBetter: true,
              contenders: [
                cyclesInCrate(work),
                { who: `${goal} M/s at 4.1 GHz`, quoted: 4100 / goal, source: 'what a study called reasonable there' },
              ],
            }
          }
        }
      }
    }
  }
}
