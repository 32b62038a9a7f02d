// Runs the benches: contenders of a case alternate, round by round, so that a drift of the machine meets all alike.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { Bench, Case, Contender, Sample } from './bench.js'
import { type Line, quote, summarise, table } from './report.js'

const FOLDER = join(import.meta.dirname, '..')
const systems = readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, 'bench.ts')))

function refuse(text: string): never {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}

function parseArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { quick: { type: 'boolean' }, json: { type: 'boolean' }, case: { type: 'string' } },
    })
  } catch (error) {
    return refuse(`${(error as Error).message}\n[SYSTEM ...] [--quick] [--json] [--case TEXT]`)
  }
}

const { values, positionals } = parseArguments()
const unknown = positionals.filter((name) => !systems.includes(name))
if (unknown.length > 0) refuse(`no bench for ${unknown.join(', ')}; there are: ${systems.join(', ')}`)

async function measure(bench: Bench, one: Case, rounds: number): Promise<Line[]> {
  const live = one.contenders.filter((contender): contender is Contender => 'round' in contender)
  const samples = new Map<Contender, Sample[]>(live.map((contender) => [contender, []]))
  // The first round of each warms up and is not counted.
  for (let round = -1; round < rounds; round++) {
    for (const contender of live) {
      const sample = await contender.round()
      if (round >= 0) samples.get(contender)?.push(sample)
    }
  }
  return one.contenders.map((contender) =>
    'round' in contender
      ? summarise(bench.name, one, contender.who, samples.get(contender) ?? [])
      : quote(bench.name, one, contender),
  )
}

const quick = values.quick ?? false
let measured = 0
for (const system of positionals.length > 0 ? positionals : systems) {
  const { bench } = (await import(pathToFileURL(join(FOLDER, system, 'bench.ts')).href)) as { bench: Bench }
  for await (const one of bench.cases({ quick })) {
    if (values.case !== undefined && !one.case.includes(values.case)) continue
    measured++
    const lines = await measure(bench, one, quick ? 3 : 5)
    if (values.json) for (const line of lines) process.stdout.write(`${JSON.stringify(line)}\n`)
    else process.stdout.write(`${table(one, lines)}\n`)
  }
}
if (measured === 0) refuse(`no case has ${values.case} in its name`)
