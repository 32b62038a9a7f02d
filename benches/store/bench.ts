// How fast rows become files: live segments, their compaction, both at once, and back.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Block, MeasurementBatch, TABLES } from '../../ts/batch/index.js'
import { compactSegment } from '../../ts/store/codec.js'
import { openRecording } from '../../ts/store/reader.js'
import { Segment } from '../../ts/store/segment.js'
import type { Bench, Sample } from '../harness/bench.js'
import { BenchProcess } from '../harness/process.js'

const ROWS = 65_536
const SIGNALS = 1000
const FIELDS = TABLES.measurement.slice(0, 4)

/** Synchrophasor-like rows: 1,000 signals at 30 Hz that change a little from frame to frame. */
function synthetic(first: number): MeasurementBatch {
  const block = new Block(ROWS)
  for (let row = 0; row < ROWS; row++) {
    const [k, n] = [(first + row) % SIGNALS, Math.floor((first + row) / SIGNALS)]
    block.time[row] = 1_704_067_200_000_000_000n + BigInt(Math.floor((n * 1e9) / 30))
    block.value[row] = Math.fround(60 + 0.01 * Math.sin(n / 100 + k) + 0.0001 * ((k * 7919 + n * 104_729) % 97))
    block.signal[row] = k
  }
  block.count = ROWS
  return new MeasurementBatch(block, undefined, 'f32')
}

async function timed(items: number, work: () => Promise<void>): Promise<Sample> {
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  await work()
  const { user, system } = process.cpuUsage(cpu)
  return { items, seconds: (performance.now() - start) / 1000, cpuSeconds: (user + system) / 1e6 }
}

/** Work in a directory that is gone afterwards. */
async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'measurand-bench-'))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function fill(path: string, batches: readonly MeasurementBatch[], count: number): Promise<Segment> {
  const segment = await Segment.create(path, FIELDS)
  for (let at = 0; at < count; at++) {
    const batch = batches[at % batches.length] as MeasurementBatch
    await segment.write(batch.length, batch.columns())
  }
  return segment
}

export const bench: Bench = {
  name: 'store',
  async *cases({ quick }) {
    const batches = Array.from({ length: 32 }, (_, at) => synthetic(at * ROWS))
    const count = quick ? 160 : 320

    yield {
      case: 'segment write',
      unit: 'M rows/s',
      per: 1e6,
      contenders: [
        {
          who: 'measurand',
          round: () =>
            inDirectory(async (directory) => {
              let segment: Segment | undefined
              const sample = await timed(count * ROWS, async () => {
                segment = await fill(join(directory, 'segment'), batches, count)
              })
              await segment?.close(false)
              return sample
            }),
        },
      ],
    }

    yield {
      case: 'compact',
      unit: 'M rows/s',
      per: 1e6,
      contenders: [
        {
          who: 'measurand',
          round: () =>
            inDirectory(async (directory) => {
              const segment = await fill(join(directory, 'segment'), batches, count / 2)
              await segment.close(false)
              return timed((count / 2) * ROWS, async () => {
                const { rows } = await compactSegment(join(directory, 'segment'), join(directory, 'parquet'))
                if (rows !== (count / 2) * ROWS) throw new Error(`${rows} rows were compacted`)
              })
            }),
        },
      ],
    }

    for (const what of ['record', 'read'] as const) {
      yield {
        case: what,
        unit: 'M rows/s',
        per: 1e6,
        contenders: [
          {
            who: 'measurand',
            round: () =>
              inDirectory(async (directory) => {
                const script = join(import.meta.dirname, 'recorder.ts')
                const rows = count * ROWS
                const recorder = new BenchProcess(process.execPath, [
                  '--import',
                  'tsx',
                  script,
                  directory,
                  String(rows),
                ])
                const recorded = await recorder.sample()
                if (what === 'record') return recorded
                let read = 0
                const sample = await timed(rows, async () => {
                  for (const source of await openRecording(directory)) {
                    await source.consume((batch) => {
                      read += batch.length
                    })
                  }
                })
                if (read !== rows) throw new Error(`${read} of ${rows} rows were read`)
                return sample
              }),
          },
        ],
      }
    }
  },
}
