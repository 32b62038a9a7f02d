import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Example } from '../example.js'

async function example(t: ExecutionContext, name: string, ...args: string[]): Promise<string> {
  const running = new Example(t, name, args)
  t.is(await running.ended, 0, running.output)
  return running.output
}

test('the weather node', async (t) => {
  const printed = await example(t, 'sisock-weather-node')
  t.regex(printed, /name: 'weather', description: 'a sine a day'/)
  t.is(printed.match(/Float64Array\(6\)/g)?.length, 2, printed)
})

test('the live node', async (t) => {
  const printed = await example(t, 'sisock-live-node')
  t.regex(printed, /^eeg, sensors\na second of C3, as many of C4: true, final so far: 1\d{9}(\.\d+)?\ntrue\n$/)
})

test('the consumer with a plot', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'measurand-plot-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'plot.svg')
  t.is(await example(t, 'sisock-consumer-plot', path), `3 plots in ${path}\n`)
  const svg = await readFile(path, 'utf8')
  t.is(svg.match(/<polyline points="(\d+\.\d,\d+\.\d ){500,}/g)?.length, 3)
  t.notRegex(svg, /NaN|Infinity/)
})
