import test from 'ava'
import fc from 'fast-check'
import { SourceUrl } from '../../ts/ingest/url.js'
import { loadSystem, openSource } from '../../ts/ingest/url-table.js'

function parts(text: string): unknown[] {
  const { scheme, user, host, port, path, options } = new SourceUrl(text)
  return [scheme, user, host, port, path, Object.fromEntries(options)]
}

test('the forms that sources have', (t) => {
  t.deepEqual(parts('sttp://localhost:7165'), ['sttp', '', 'localhost', 7165, '', {}])
  t.deepEqual(parts('STTP://h:1?encoding=tssc&tls'), ['sttp', '', 'h', 1, '', { encoding: 'tssc', tls: '' }])
  t.deepEqual(parts('tia://[::1]:9000?transport=udp'), ['tia', '', '::1', 9000, '', { transport: 'udp' }])
  t.deepEqual(parts('cdtp://My_Group/One,Two'), ['cdtp', '', 'My_Group', undefined, 'One,Two', {}])
  t.deepEqual(parts('streamsea://me@h:3104/orders?group=1-2'), [
    'streamsea',
    'me',
    'h',
    3104,
    'orders',
    { group: '1-2' },
  ])
  t.deepEqual(parts('sisock://u@h:8080/node/a,b?since=-3600&until=0'), [
    ...['sisock', 'u', 'h', 8080, 'node/a,b'],
    { since: '-3600', until: '0' },
  ])
  t.deepEqual(parts('file:recordings/x y'), ['file', '', '', undefined, 'recordings/x y', {}])
  t.deepEqual(parts('file:///var/x'), ['file', '', '', undefined, '/var/x', {}])
  t.deepEqual(parts('file:/var/x#1'), ['file', '', '', undefined, '/var/x#1', {}])
})

test('a filter expression needs no quoting but of %, & and #', (t) => {
  const filter = "FILTER TOP 5 ActiveMeasurements WHERE SignalType = 'FREQ' AND a+b >= 1 ORDER BY PointTag; x?y=z"
  t.is(new SourceUrl(`sttp://h:1?filter=${filter}`).option('filter'), filter)
  t.is(new SourceUrl('sttp://h:1?filter=a%20%26%20b%23c%25').option('filter'), 'a & b#c%')
})

test('what is encoded comes back', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      t.is(
        new SourceUrl(`sttp://h:1/${encodeURIComponent(value)}?filter=${encodeURIComponent(value)}`).option('filter'),
        value,
      )
    }),
  )
})

test('any text is a URL or a typed error', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webUrl({ withFragments: true, withQueryParameters: true })), (text) => {
      try {
        new SourceUrl(text)
      } catch (error) {
        t.regex((error as { code: string }).code, /^ERR_INGEST_/)
      }
    }),
  )
})

test('what is no URL of a source is said', (t) => {
  for (const [text, code] of [
    ['127.0.0.1:7165', 'ERR_INGEST_URL_SYNTAX'],
    ['sttp:h:1', 'ERR_INGEST_URL_SYNTAX'],
    ['sttp://', 'ERR_INGEST_URL_SYNTAX'],
    ['sttp://:1', 'ERR_INGEST_URL_SYNTAX'],
    ['file:', 'ERR_INGEST_URL_SYNTAX'],
    ['sttp://h:1?filter=100%', 'ERR_INGEST_URL_SYNTAX'],
    ['sttp://h:0', 'ERR_INGEST_URL_PORT'],
    ['sttp://h:65536', 'ERR_INGEST_URL_PORT'],
    ['sttp://h:', 'ERR_INGEST_URL_PORT'],
    ['sttp://h:7165x', 'ERR_INGEST_URL_PORT'],
    ['sttp://me:secret@h:1', 'ERR_INGEST_URL_SECRET'],
    ['sttp://h:1?filter=a#b', 'ERR_INGEST_URL_FRAGMENT'],
    ['sttp://h:1?a=1&a=2', 'ERR_INGEST_OPTION_TWICE'],
  ] as const) {
    const error = t.throws(() => new SourceUrl(text), { code }, text)
    t.is(error?.name, 'UsageError')
    if (code === 'ERR_INGEST_URL_SECRET') t.false(error?.message.includes('secret'))
  }
})

test('an option on the command line is one in the URL', (t) => {
  t.is(new SourceUrl('sttp://h:1?udp=5', [['encoding', 'tssc']]).option('encoding'), 'tssc')
  t.is(new SourceUrl('sttp://h:1?udp=5', [['udp', '5']]).option('udp'), '5')
  t.throws(() => new SourceUrl('sttp://h:1?udp=5', [['udp', '6']]), { code: 'ERR_INGEST_OPTION_TWICE' })
})

test('options are read as what they are', (t) => {
  const url = new SourceUrl('sttp://h:1?on&off=no&n=-5&x=2.5&c=tssc&bad=maybe&empty=')
  t.deepEqual([url.flag('on'), url.flag('off'), url.flag('none'), url.flag('none', true)], [true, false, false, true])
  t.is(url.integer('n', -10, 0), -5)
  t.is(url.integer('none', 0, 1), undefined)
  t.is(url.number('x'), 2.5)
  t.is(url.choice('c', ['tssc', 'compact']), 'tssc')
  for (const read of [
    () => url.flag('bad'),
    () => url.integer('n', 0, 10),
    () => url.integer('x', 0, 10),
    () => url.number('bad'),
    () => url.number('empty'),
    () => url.choice('bad', ['tssc', 'compact']),
  ]) {
    t.throws(read, { code: 'ERR_INGEST_OPTION_INVALID' })
  }
})

test('options that a system does not have are refused with those that it has', (t) => {
  const table = { filter: { value: 'EXPR', line: '' }, tls: { line: '' } }
  new SourceUrl('sttp://h:1?tls').check(table)
  const error = t.throws(() => new SourceUrl('sttp://h:1?filtre=x').check(table), { code: 'ERR_INGEST_OPTION_UNKNOWN' })
  t.regex(error?.message ?? '', /filter, tls/)
  t.throws(() => new SourceUrl('sttp://h:1?toString=x').check(table), { code: 'ERR_INGEST_OPTION_UNKNOWN' })
})

test('the name of a source is made of its place', (t) => {
  t.is(new SourceUrl('sttp://127.0.0.1:7165?filter=secret').name, 'sttp-127-0-0-1-7165')
  t.is(new SourceUrl('sisock://me@h:8080/node/a,b').name, 'sisock-h-8080-node-a-b')
  t.is(new SourceUrl('sttp://h:1/?a=b').place, 'sttp://h:1/')
})

test('a scheme that no system has is refused with those that there are', async (t) => {
  await t.throwsAsync(openSource('gopher://h:70'), { code: 'ERR_INGEST_URL_SCHEME' })
  await t.throwsAsync(loadSystem('constructor'), { code: 'ERR_INGEST_URL_SCHEME' })
})
