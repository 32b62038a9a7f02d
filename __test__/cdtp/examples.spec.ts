// The examples of the guide as a reader runs them: a detector, a recorder, and the script that drives them.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { recordingInfo } from '../../ts/store/index.js'
import { readRows } from '../../ts/store/rows.js'

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples')

class Example {
  readonly #child: ChildProcess
  readonly #ended: Promise<number>
  #output = ''

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', join(EXAMPLES, program), ...args], {
      env: { ...process.env, INTERFACE: '127.0.0.1' },
    })
    const take = (text: string): void => {
      this.#output += text
    }
    this.#child.stdout?.setEncoding('utf8').on('data', take)
    this.#child.stderr?.setEncoding('utf8').on('data', take)
    this.#ended = new Promise((resolve) => this.#child.once('close', (code) => resolve(code ?? -1)))
  }

  /** Its exit code and what it has printed. */
  async ended(): Promise<{ code: number; output: string }> {
    return { code: await this.#ended, output: this.#output }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

test('a detector, a recorder and a run from a script', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'measurand-examples-'))
  const group = `examples${process.pid}`
  const detector = new Example('cdtp-detector.ts', [group, 'one'])
  const recorder = new Example('cdtp-recorder.ts', [group, folder])
  const run = new Example('cdtp-run.ts', [group, '1', 'Detector.one', 'Recorder.measurand'])
  t.teardown(() => [detector, recorder, run].forEach((example) => void example.kill()))

  const driven = await run.ended()
  t.is(driven.code, 0, driven.output)
  t.regex(driven.output, /found Detector\.one, Recorder\.measurand/)
  t.regex(driven.output, /Detector\.one RUN/)
  t.is((await detector.ended()).code, 0)
  const { code, output } = await recorder.ended()
  t.is(code, 0, output)
  const [, stored, received] = /(\d+) of (\d+) records are in/.exec(output) ?? []
  t.is(stored, received)
  t.true(Number(stored) >= 5)

  const { sources } = await recordingInfo(folder)
  const [source] = sources
  t.is(source?.imbalance, 0)
  const runs = source?.tables.filter(({ table }) => table === 'record') ?? []
  t.is(runs.length, 1)
  t.is(runs[0]?.rows, Number(stored) + 4)
  const file = join(folder, source?.name as string, 'record', runs[0]?.run as string, '000001.arrows')
  const rows = await readRows<{ kind: number; time: bigint; rx: bigint; blocks: Uint8Array[] }>(file)
  for (const { kind, time, rx, blocks } of rows) {
    if (kind !== 0) continue
    t.is(blocks[0]?.length, 65_536)
    // The time is the detector's own, before the receipt.
    t.true(time < rx)
  }
  await rm(folder, { recursive: true })
})
