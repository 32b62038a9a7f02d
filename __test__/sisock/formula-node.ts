import type { Column, DataReply, FieldsReply, TimelineSamples } from '../../ts/sisock/data.js'
import { type DataNodeConfig, DataNodeServer } from '../../ts/sisock/data-node-server.js'
import { sisockToUnixTime } from '../../ts/sisock/uri.js'

export const EPOCH = 1_700_000_000
const [SPAN, FINAL, LIMIT] = [86_400, 1_700_080_000, 2_000_000]
const LINES = { fast: [10, 1], slow: [1, 60] } as const
const FIELDS = {
  ramp: ['fast', 'number', 's'],
  sine: ['fast', 'number', 'V'],
  count: ['slow', 'number', null],
  even: ['slow', 'bool', null],
  label: ['slow', 'string', null],
} as const
type Name = keyof typeof FIELDS

const time = (line: keyof typeof LINES, k: number) => (k * LINES[line][1]) / LINES[line][0]
const VALUE: { [name in Name]: (k: number) => number | boolean | string } = {
  ramp: (k) => time('fast', k) % 1000,
  sine: (k) => Math.sin((2 * Math.PI * (time('fast', k) % 60)) / 60),
  count: (k) => k % 65_536,
  even: (k) => k % 2 === 0,
  label: (k) => `m${k % 60}`,
}

/** The node of the interop programs, in TypeScript: every value follows from its time. */
export class FormulaNode extends DataNodeServer {
  override description = 'formula test node'

  constructor(config?: DataNodeConfig, name = 'formula') {
    super(config)
    this.name = name
  }

  override getFields(start: number, end: number): FieldsReply | Promise<FieldsReply> {
    const [from, to] = [sisockToUnixTime(start), sisockToUnixTime(end)]
    if (to <= from || to <= EPOCH || from >= EPOCH + SPAN) return [{}, {}]
    const names = Object.keys(FIELDS) as Name[]
    return [
      Object.fromEntries(
        names.map((name) => {
          const [timeline, type, units] = FIELDS[name]
          return [name, { description: `formula ${name}`, timeline, type, units }]
        }),
      ),
      Object.fromEntries(
        (['fast', 'slow'] as const).map((line) => [
          line,
          { interval: LINES[line][1] / LINES[line][0], field: names.filter((name) => FIELDS[name][0] === line) },
        ]),
      ),
    ]
  }

  override getData(fields: readonly string[], start: number, end: number, minStride: number | null): DataReply | false {
    const [from, to] = [sisockToUnixTime(start), sisockToUnixTime(end)]
    const rows = (line: keyof typeof LINES): number[] => {
      const [num, den] = LINES[line]
      const first = Math.ceil((Math.max(from, EPOCH) * num) / den)
      const last = Math.ceil((Math.min(to, EPOCH + SPAN) * num) / den)
      const step = minStride ? Math.max(1, Math.ceil((minStride * num) / den - 1e-9)) : 1
      return Array.from({ length: Math.max(0, Math.ceil((last - first) / step)) }, (_, index) => first + index * step)
    }
    const all = { fast: rows('fast'), slow: rows('slow') }
    const data: Record<string, Column> = {}
    const timeline: Record<string, TimelineSamples> = {}
    let count = 0
    for (const field of fields) {
      if (!(field in FIELDS)) {
        data[field] = []
        continue
      }
      const [line] = FIELDS[field as Name]
      data[field] = all[line].map(VALUE[field as Name]) as Column
      count += all[line].length
      if (all[line].length > 0) {
        timeline[line] = { t: all[line].map((k) => time(line, k)), finalizedUntil: to <= FINAL ? null : FINAL }
      }
    }
    return count > LIMIT ? false : { data, timeline }
  }
}
