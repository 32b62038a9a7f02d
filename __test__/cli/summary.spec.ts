import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import test from 'ava'
import { Output } from '../../ts/cli/output.js'
import { summarize } from '../../ts/cli/summary.js'
import type { PipelineResult } from '../../ts/ingest/index.js'
import { type Gap, Ledger, sessionError, systemClock } from '../../ts/session/index.js'
import { storeError } from '../../ts/store/index.js'
import { recordingOf, temporary } from './recording.js'
import { measurand } from './streams.js'

const BOOKS = { received: 10, stored: 10, filtered: 0, duplicate: 0, dropped: 0, failed: 0 }

function exitCode(result: Partial<PipelineResult> & { gaps?: Gap[] }, aborted = false, sinkError?: Error): number {
  const ledger = new Ledger('s', systemClock)
  for (const gap of result.gaps ?? []) ledger.add(gap)
  const call = {
    args: [],
    options: new Map(),
    json: true,
    out: new Output(new PassThrough()),
    err: new PassThrough(),
    stdin: new PassThrough(),
    signal: aborted ? AbortSignal.abort() : new AbortController().signal,
  }
  const ended = { books: BOOKS, losses: [...ledger], endedBy: 'source', error: undefined, seconds: 1, ...result }
  return summarize(call, [ended as PipelineResult], sinkError)
}

test('exit codes say how it ended', (t) => {
  const lost = [{ cause: 'wire', count: 3 }] as Gap[]
  const refused = sessionError('ERR_SESSION_CONNECTION_LOST', 'lost')
  const full = storeError('ERR_STORE_DISK_FULL', 'full')
  t.is(exitCode({}), 0)
  t.is(exitCode({ gaps: lost }), 3)
  t.is(exitCode({ error: refused, gaps: lost }), 2)
  t.is(exitCode({ error: full, endedBy: 'sink', gaps: lost }), 4)
  t.is(exitCode({ error: storeError('ERR_STORE_FILE_DAMAGED', 'damaged') }), 1)
  t.is(exitCode({}, false, full), 4)
  t.is(exitCode({ gaps: lost }, true), 130)
  t.is(exitCode({ error: sessionError('ERR_SESSION_ABORTED', 'aborted') }, true), 130)
  t.is(exitCode({ error: full, endedBy: 'sink' }, true), 4)
})

test('a disk that fills ends a recording with 4, and what was stored before is whole', async (t) => {
  const from = await recordingOf(t, 20_000)
  const to = join(await temporary(t), 'out')
  const command = `ulimit -f 128; exec "$0" --import tsx ts/cli/main.ts record "file:${from}" --out "${to}" --json`
  const { code, stdout, stderr } = await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile('bash', ['-c', command, process.execPath], (error, out, err) =>
      resolve({ code: error?.code, stdout: out, stderr: err }),
    )
  })
  t.is(code, 4, stderr)
  t.regex(stderr, /ERR_STORE_DISK_FULL/)
  const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) as string) as Record<string, number>
  t.is(summary['received'], (summary['stored'] as number) + (summary['failed'] as number))
  const rows = (await measurand(['tail', `file:${to}`, '--json'])).lines.filter(({ event }) => event === 'measurement')
  t.is(rows.length, summary['stored'] ?? -1)
})
