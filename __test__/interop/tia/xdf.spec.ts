// A recording of our server, exported as XDF, read by pyxdf, also with clocks synchronised and when it is damaged.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'

const here = import.meta.dirname
const root = join(here, '../../..')
const python = join(root, '.peers/pyxdf/bin/python')
const measurand = ['--import', 'tsx', join(root, 'ts/cli/main.ts')]

test('record, export --format xdf, pyxdf: the same samples and times, and of a damaged file the rest', async (t) => {
  if (!existsSync(python)) throw new Error('pyxdf is not installed: run scripts/peers pyxdf')
  const folder = mkdtempSync(join(tmpdir(), 'tia-xdf-'))
  const serve = [
    'serve',
    'tia',
    '--port',
    '0',
    '--signals',
    '8',
    '--block',
    '4',
    '--rate',
    'max',
    '--nominal',
    '256',
    '--frames',
    '3900',
    '--wait-subscriber',
  ]
  const server = spawn(process.execPath, [...measurand, ...serve, '--json'], { cwd: root })
  try {
    const port = await new Promise<string>((resolve) => {
      let text = ''
      server.stdout.on('data', (part) => {
        text += part
        const found = /"event":"serving".*"port":(\d+)/.exec(text)?.[1]
        if (found !== undefined) resolve(found)
      })
    })
    const recording = join(folder, 'rec')
    const file = join(folder, 'eeg.xdf')
    const run = (...args: string[]) =>
      execFileSync(process.execPath, [...measurand, ...args], { cwd: root, encoding: 'utf8' })
    const summary = run('record', `tia://127.0.0.1:${port}?state=1`, '--out', recording, '--json')
      .trim()
      .split('\n')
      .at(-1)
    t.like(JSON.parse(summary ?? '{}'), { received: 31_200, stored: 31_200, lost: [] })
    run('export', recording, '--format', 'xdf', '-o', file)
    const check = (...args: string[]) =>
      execFileSync(python, [join(here, 'xdf_check.py'), file, '8', '3900', '256', ...args], { encoding: 'utf8' })
    t.is(check(), 'OK (3900, 8)\n')
    const bytes = readFileSync(file)
    bytes.fill(0xff, 20_000, 20_100)
    writeFileSync(file, bytes)
    t.regex(check('damaged'), /^OK \(\d+, 8\)\n$/)
  } finally {
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})
