import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { OptionValues } from '../../ts/session/index.js'

function valuesOf(options: Record<string, string | true>): OptionValues<string> {
  return new OptionValues(new Map(Object.entries(options)), (text) => new RangeError(text))
}

test('options are read as what they mean, or as what they are unless told', (t) => {
  const values = valuesOf({ signals: '12', rate: '29.97', t0: '-9223372036854775808', policy: 'block', tls: true })
  t.is(values.whole('signals', 1, 200), 12)
  t.is(values.whole('block', 1, 8), 8)
  t.is(values.whole('block', 1), undefined)
  t.is(values.number('rate', 0.001, 30), 29.97)
  t.is(values.integer('t0'), -(2n ** 63n))
  t.is(values.choice('policy', ['block', 'disconnect']), 'block')
  t.is(values.choice('speed', ['1', '10'], '1'), '1')
  t.true(values.has('tls'))
  t.is(values.text('tls', 'a switch has no text'), 'a switch has no text')
})

test('what an option cannot be is refused with what it takes', (t) => {
  const refused = (options: Record<string, string>, read: (values: OptionValues<string>) => unknown): string =>
    t.throws(() => read(valuesOf(options)), { instanceOf: RangeError }).message
  t.is(
    refused({ port: '80.5' }, (v) => v.whole('port', 0)),
    '--port takes a whole number from 0, not 80.5',
  )
  t.is(
    refused({ port: '-1' }, (v) => v.whole('port', 0)),
    '--port takes a number from 0, not -1',
  )
  t.is(
    refused({ rate: '' }, (v) => v.number('rate', 0)),
    '--rate takes a number from 0, not ',
  )
  t.is(
    refused({ rate: 'Infinity' }, (v) => v.number('rate', 0)),
    '--rate takes a number from 0, not Infinity',
  )
  t.is(
    refused({ t0: '9223372036854775808' }, (v) => v.integer('t0')),
    '--t0 takes a whole number, not 9223372036854775808',
  )
  t.is(
    refused({ policy: 'spill' }, (v) => v.choice('policy', ['block', 'drop-oldest', 'disconnect'])),
    '--policy takes block, drop-oldest or disconnect, not spill',
  )
})

test('PEM files are read, and one that is not there is refused', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'measurand-pem-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const cert = join(folder, 'cert.pem')
  writeFileSync(cert, 'PEM')
  t.deepEqual(valuesOf({ cert }).tlsFiles(), { cert: Buffer.from('PEM') })
  t.throws(() => valuesOf({ ca: join(folder, 'none.pem') }).tlsFiles(), {
    instanceOf: RangeError,
    message: /^ca: ENOENT/,
  })
})
