import type { Case, Quoted, Sample } from './bench.js'

/** One line of the bench output; cli.md's shape is the contract. */
export interface Line {
  readonly bench: string
  readonly case: string
  readonly who: string
  readonly unit: string
  readonly value: number
  readonly min: number
  readonly max: number
  readonly rounds: number
  readonly cpuPerItemNs: number | null
  readonly peakMiB: number | null
  /** Where a figure that was not measured in this run comes from. */
  readonly source?: string
}

/** The line of a contender's samples: median, minimum and maximum of the rounds. */
export function summarise(bench: string, one: Case, who: string, samples: readonly Sample[]): Line {
  const value = one.value ?? ((sample: Sample) => sample.items / sample.seconds / (one.per ?? 1))
  const values = samples.map(value).sort((a, b) => a - b)
  const cpu = samples.flatMap(({ cpuSeconds, items }) => (cpuSeconds === undefined ? [] : [(cpuSeconds * 1e9) / items]))
  const peaks = samples.flatMap(({ peakMiB }) => (peakMiB === undefined ? [] : [peakMiB]))
  return {
    bench,
    case: one.case,
    who,
    unit: one.unit,
    value: median(values),
    min: values[0] ?? Number.NaN,
    max: values.at(-1) ?? Number.NaN,
    rounds: samples.length,
    cpuPerItemNs: cpu.length > 0 ? median(cpu.sort((a, b) => a - b)) : null,
    peakMiB: peaks.length > 0 ? Math.max(...peaks) : null,
  }
}

/** The line of a figure from elsewhere. */
export function quote(bench: string, one: Case, { who, quoted, source }: Quoted): Line {
  const base = { bench, case: one.case, who, unit: one.unit, value: quoted, min: quoted, max: quoted, rounds: 0 }
  return { ...base, cpuPerItemNs: null, peakMiB: null, source }
}

/** A table of a case for people: the value, its range, and how many times measurand's it is. */
export function table(one: Case, lines: readonly Line[]): string {
  const ours = lines.find((line) => line.who === 'measurand')
  const rows = lines.map((line) => {
    const ratio =
      ours === undefined ? Number.NaN : one.lowerIsBetter ? line.value / ours.value : ours.value / line.value
    const range = line.rounds > 0 ? `${figure(line.min)}-${figure(line.max)}, ${line.rounds} rounds` : line.source
    const books = line.cpuPerItemNs === null ? '' : `, ${figure(line.cpuPerItemNs)} ns CPU an item`
    const peak = line.peakMiB === null ? '' : `, ${figure(line.peakMiB)} MiB`
    const times = line === ours ? '' : `  measurand is ${ratio.toFixed(2)}x`
    return `  ${line.who.padEnd(34)} ${figure(line.value).padStart(10)} ${line.unit}  (${range}${books}${peak})${times}`
  })
  return `${one.case}\n${rows.join('\n')}\n`
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle] as number
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}
