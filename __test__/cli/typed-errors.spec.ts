import test, { type ExecutionContext } from 'ava'
import { recordingOf } from './recording.js'
import { measurand } from './streams.js'

const WRONG: readonly (readonly [what: string, args: readonly string[], code: string])[] = [
  [
    'a scheme of the prototype',
    ['replay', 'x.cap', '--raw', '--to', 'constructor://h:1?listen=1'],
    'ERR_INGEST_URL_SCHEME',
  ],
  ['a capture to stdout', ['capture', 'sttp://127.0.0.1:1', '-o', '-'], 'ERR_CLI_OPTION_INVALID'],
  ['a system without captures', ['replay', 'x.cap', '--raw', '--to', 'file:x?listen=1'], 'ERR_CLI_OPTION_INVALID'],
  ['a secret that cannot be read', ['tail', 'sisock://a@h:1/n', '--secret-file', '/none'], 'ERR_SISOCK_OPTION_INVALID'],
  [
    'an authority that cannot be read',
    ['tail', 'sisock://a@h:1/n?anonymous=1', '--ca', '/none'],
    'ERR_SISOCK_OPTION_INVALID',
  ],
]

for (const [what, args, code] of WRONG) {
  test(`${what} is told with a code, not with a stack`, (t) => isTold(t, args, code))
}

test('a capture of what has none is told with a code, not with a stack', async (t) =>
  isTold(t, ['capture', `file:${await recordingOf(t, 3)}`, '-o', '/none/x.cap'], 'ERR_CLI_OPTION_INVALID'))

test('a Parquet file to stdout is told with a code', async (t) =>
  isTold(t, ['export', await recordingOf(t, 3), '--format', 'parquet', '-o', '-'], 'ERR_CLI_OPTION_INVALID'))

async function isTold(t: ExecutionContext, args: readonly string[], code: string): Promise<void> {
  const ran = await measurand(args)
  t.is(ran.code, 1, ran.stderr)
  t.true(ran.stderr.includes(code), ran.stderr)
  t.notRegex(ran.stderr, /^ +at /m)
}
