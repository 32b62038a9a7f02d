import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { recordingOf, temporary } from './recording.js'

const MAIN = ['--import', 'tsx', 'ts/cli/main.ts']

test('Ctrl-C while it tries to connect ends it', async (t) => {
  const silent = createServer((socket) => socket.resume())
  silent.listen(0, '127.0.0.1')
  const accepted = once(silent, 'connection')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  const out = join(await temporary(t), 'out')
  const child = spawn(process.execPath, [...MAIN, 'record', `sttp://127.0.0.1:${port}`, '--out', out])
  await accepted
  child.kill('SIGINT')
  const [code] = (await once(child, 'exit')) as [number]
  t.is(code, 130)
  silent.close()
})

test('a second Ctrl-C stops it at once, whatever still waits', async (t) => {
  const from = await recordingOf(t, 20_000)
  // Nobody reads its stdout: it can never drain.
  const child = spawn(process.execPath, [...MAIN, 'tail', `file:${from}`, '--format', 'json'])
  await once(child.stdout, 'readable')
  child.kill('SIGINT')
  await once(child.stderr, 'data')
  t.is(child.exitCode, null)
  child.kill('SIGINT')
  const [code] = (await once(child, 'exit')) as [number]
  t.is(code, 130)
})

test('a reader that goes away ends it quietly', async (t) => {
  const from = await recordingOf(t, 20_000)
  const child = spawn(process.execPath, [...MAIN, 'tail', `file:${from}`, '--format', 'json'])
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const [code] = (await once(child, 'exit')) as [number]
  t.is(code, 0, stderr)
  t.notRegex(stderr, /EPIPE|Error/)
})
