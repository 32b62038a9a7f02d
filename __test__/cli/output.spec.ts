import { PassThrough, Writable } from 'node:stream'
import test from 'ava'
import { Output } from '../../ts/cli/output.js'

test('lines come whole, in order, in few writes', async (t) => {
  const writes: string[] = []
  const out = new Output(
    new Writable({
      write(chunk, _encoding, done) {
        writes.push(String(chunk))
        setImmediate(done)
      },
    }),
  )
  for (let n = 0; n < 20_000; n++) await out.line(`line ${n}`)
  void out.json({ n: 1n, nan: Number.NaN })
  await out.flush()
  const lines = writes.join('').split('\n')
  t.is(lines.length, 20_002)
  t.is(lines[19_999], 'line 19999')
  t.is(lines[20_000], '{"n":"1","nan":null}')
  t.true(writes.length < 10)
})

test('a reader that went away is no error', async (t) => {
  const gone = new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error('gone'), { code: 'EPIPE' }))
    },
  })
  const out = new Output(gone)
  void out.line('x')
  await out.flush()
  t.true(out.isOver)
  void out.line('y')
  await out.flush()
})

test('a full disk behind stdout is one', async (t) => {
  const full = new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
    },
  })
  const out = new Output(full)
  void out.line('x')
  const error = await t.throwsAsync(out.flush(), { code: 'ERR_CLI_OUTPUT_FAILED' })
  t.is(error?.name, 'StorageError')
  t.false(new Output(new PassThrough()).isTerminal)
})
