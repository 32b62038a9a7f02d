import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import test, { type ExecutionContext } from 'ava'
import { serve } from '../../ts/stream-sea/serve.js'
import { measurand } from '../cli/streams.js'
import { World } from './world.js'

async function folder(t: ExecutionContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'stream-sea-'))
  t.teardown(() => rm(made, { recursive: true, force: true }))
  return made
}

/** A server, its URL for a stream, and the file of its client's secret. */
async function place(t: ExecutionContext, stream: string) {
  const world = await World.open(t)
  const directory = await folder(t)
  const secret = join(directory, 'secret')
  await writeFile(secret, `${world.remote.clientSecret}\n`)
  const url = `streamsea://app123@127.0.0.1:${world.remote.remotePort}/${stream}`
  const run = (args: readonly string[], input = '') =>
    measurand([...args, '--secret-file', secret], [Buffer.from(input)])
  return { world, directory, url, run }
}

const SCHEMA = {
  version: 3,
  fields: [
    { name: 'at', type: 'date' },
    { name: 'level', type: 'float' },
    { name: 'count', type: 'integer' },
    { name: 'side', type: 'enum', enum: ['port', 'starboard'] },
    { name: 'inner', type: 'object', fields: [{ name: 'depth', type: 'float' }] },
    { name: 'list', type: 'array<float>' },
  ],
}

test('define, describe, publish and tail; what is wrong has an exit code', async (t) => {
  const { directory, url, run } = await place(t, 's')
  const file = join(directory, 'schema.json')
  t.is((await run(['stream-sea', 'describe', url])).code, 1)
  await writeFile(file, JSON.stringify(SCHEMA))
  const defined = await run(['stream-sea', 'define', url, file])
  t.is(defined.code, 0, defined.stderr)
  t.deepEqual(defined.lines, [{ name: 's', ...SCHEMA }])
  t.deepEqual((await run(['stream-sea', 'describe', url])).lines, [{ name: 's', ...SCHEMA }])
  await writeFile(file, JSON.stringify({ ...SCHEMA, version: 2 }))
  const older = await run(['stream-sea', 'define', url, file])
  t.is(older.code, 2)
  t.regex(older.stderr, /already an older version defined/)

  const published = await run(['publish', url, '--json'], '{"level":1.5}\n\n{"count": 12345678901234567890}\n{}\n')
  t.is(published.code, 0, published.stderr)
  t.like(published.lines.at(-1), { event: 'published', stream: 's', published: 3 })
  const refused = await run(['publish', url, '--batch', '1'], '{"level":2}\n{"level":"x"}\n{"level":3}\n')
  t.is(refused.code, 2)
  t.regex(refused.stderr, /level is not a valid float/)
  t.regex(refused.stderr, /published 1 messages/)
  for (const line of ['no json', '{"level":1},{"level":2}']) {
    const malformed = await run(['publish', url], `${line}\n`)
    t.is(malformed.code, 1)
    t.regex(malformed.stderr, /line 1 is no JSON.*\n?.*ERR_CLI_INPUT_MALFORMED/)
  }
  // A list in a line is one message, which is none of this schema.
  t.is((await run(['publish', url], '[{"level":1},{"level":2}]\n')).code, 2)
  const missing = await run(['stream-sea', 'define', url, join(directory, 'none.json')])
  t.is(missing.code, 1)
  t.regex(missing.stderr, /ERR_CLI_FILE_UNREADABLE/)
  t.is((await run(['publish', url.replace('/s', '/none')], '{}\n')).code, 2)
  t.is((await run(['publish'])).code, 1)
  t.is(
    (
      await measurand(
        ['publish', url.replace(/:\d+/, ':1'), '--secret-file', join(directory, 'secret')],
        [Buffer.from('{}\n')],
      )
    ).code,
    2,
  )

  const { code, lines, stderr } = await run(['tail', url, '--from', 'start', '--limit', '4', '--json'])
  t.is(code, 0, stderr)
  t.deepEqual(
    lines
      .slice(0, 4)
      .map(({ event, stream, schema_version, offset, payload }) => [event, stream, schema_version, offset, payload]),
    [
      ['event', 's', '3', '0', '{"level":1.5}'],
      ['event', 's', '3', '1', '{"count": 12345678901234567890}'],
      ['event', 's', '3', '2', '{}'],
      ['event', 's', '3', '3', '{"level":2}'],
    ],
  )
  t.like(lines.at(-1), { event: 'summary', received: 4, stored: 4, lost: [] })
  const influx = await run(['tail', url, '--from', 'start', '--limit', '1', '--format', 'influx'])
  t.regex(influx.stdout, /^measurement,source=[^,]+,id=s\/level,name=level value=1.5,flags=0u \d+\n$/)
  t.is((await run(['info', url])).code, 0)
})

test('a recording has the messages verbatim and their scalar fields as measurements', async (t) => {
  const { directory, url, run, world } = await place(t, 's')
  const file = join(directory, 'schema.json')
  await writeFile(file, JSON.stringify(SCHEMA))
  await run(['stream-sea', 'define', url, file])
  const messages = [
    '{"at":"2024-01-01T00:00:00.000000001Z","level":0.25,"count":9007199254740993,"side":"port","inner":{"depth":-4}}',
    '{"level":null,"count":7,"list":[1,2]}',
    '{"inner":{},"at":"2024-01-01T00:00:02Z","side":"starboard"}',
    '{"level":99}',
  ]
  t.is((await run(['publish', url], messages.join('\n'))).code, 0)
  const out = join(directory, 'recording')
  const asked = ['record', `${url}?from=start&time-field=at`, '--out', out, '--limit', '3', '--json']
  const { code, lines, stderr } = await run(asked)
  t.is(code, 0, stderr)
  t.like(lines.at(-1), { event: 'summary', received: 3, stored: 3, lost: [] })
  const duck = await (await DuckDBInstance.create()).connect()
  const query = async (sql: string) => (await duck.runAndReadAll(sql)).getRows()
  t.deepEqual(
    await query(`select payload from '${out}/*/event/*.parquet' order by "offset"`),
    messages.slice(0, 3).map((message) => [message]),
  )
  const stored = world.server.stream('main', 's')?.time as number
  const [{ at, level, count, side, depth }, second] = [
    { at: '2024-01-01 00:00:00.000000001', level: 'level', count: 'count', side: 'side', depth: 'inner.depth' },
    '2024-01-01 00:00:02',
  ]
  t.deepEqual(
    await query(
      `select m.seq, s.name, m.value, m.text, m.time::varchar from '${out}/*/measurement/*.parquet' m
       join '${out}/*/signal.parquet' s on s.id = m.signal order by m.seq, s.id`,
    ),
    [
      [0n, 'at', null, '2024-01-01T00:00:00.000000001Z', at],
      [0n, level, 0.25, null, at],
      [0n, count, 9007199254740992, '9007199254740993', at],
      [0n, side, null, 'port', at],
      [0n, depth, -4, null, at],
      [
        1n,
        count,
        7,
        null,
        new Date(stored)
          .toISOString()
          .replace('T', ' ')
          .replace('Z', '')
          .replace(/\.?0+$/, ''),
      ],
      [2n, 'at', null, '2024-01-01T00:00:02Z', second],
      [2n, side, null, 'starboard', second],
    ],
  )
  const audited = await measurand(['audit', out])
  t.is(audited.code, 0, audited.stderr + audited.stdout)
  t.is((await run(['record', `${url}?time-field=nothing`, '--out', join(directory, 'x')])).code, 1)
})

test('clients are made, changed and deleted; tokens are signed', async (t) => {
  const { directory, url, run } = await place(t, 's')
  const clients = (...args: string[]) => run(['stream-sea', 'clients', url, ...args])
  const made = await clients('create', 'guest', '--description', 'a guest')
  t.is(made.code, 0, made.stderr)
  t.like(made.lines[0], { givenId: 'guest' })
  t.is((await clients('create', 'guest')).code, 2)
  const listed = await clients('list')
  t.is(listed.code, 0, listed.stderr)
  t.like(
    listed.lines.find((line) => line['id'] === 'guest'),
    { description: 'a guest' },
  )
  t.is((await clients('delete', 'guest')).code, 0)
  t.is((await clients('delete', 'guest')).code, 2)
  t.is((await clients('make')).code, 1)
  t.is((await clients()).code, 1)
  const [{ publicKey, privateKey } = {}] = (await measurand(['stream-sea', 'keygen', '--json'])).lines as [
    { publicKey: string; privateKey: string },
  ]
  const [open, hidden] = [join(directory, 'public.pem'), join(directory, 'private.pem')]
  await writeFile(open, String(publicKey))
  await writeFile(hidden, String(privateKey))
  t.is((await clients('jwt-key', open)).code, 0)
  const filter = '{"t":"bool","e":true}'
  const signed = await measurand(['stream-sea', 'sign-jwt', '--key-file', hidden, '--must-fanout', '--filter', filter])
  t.is(signed.code, 0)
  const claims = JSON.parse(Buffer.from(signed.stdout.split('.')[1] as string, 'base64url').toString())
  t.like(claims, { mustFanout: true, filter: { t: 'bool', e: true } })
  t.is((await measurand(['stream-sea', 'sign-jwt', '--key-file', open])).code, 1)
  t.is((await measurand(['stream-sea', 'sign-jwt'])).code, 1)
  t.is((await measurand(['stream-sea', 'sail'])).code, 1)
  t.is((await measurand(['stream-sea'])).code, 1)
  const rotated = (await clients('rotate')).lines[0] as { secret: string }
  t.is(rotated.secret.length, 43)
  t.is((await clients('delete', 'guest')).code, 2)
})

test('serve tells a secret once, makes a client for scripts in its jail, and has one log', async (t) => {
  const data = await folder(t)
  const told: string[] = []
  const write = process.stderr.write.bind(process.stderr)
  const begin = async (...options: [string, string | true][]) => {
    process.stderr.write = (text) => told.push(String(text)) > 0
    try {
      return await serve(new Map<string, string | true>([['port', '0'], ['data', data], ...options]))
    } finally {
      process.stderr.write = write
    }
  }
  await (await begin()).drain()
  t.is(told.length, 1)
  const [, secret = ''] =
    /client admin of the jail main; its secret is told this once: (\S{43})\n/.exec(told[0] ?? '') ?? []
  await writeFile(join(data, 'secret.txt'), 'chosen for scripts\n')
  const served = await begin(['jail', 'j2'], ['client', 'script'], ['secret-file', join(data, 'secret.txt')])
  t.is(told.length, 1)
  const streams = (client: string, of: string) =>
    fetch(`http://127.0.0.1:${served.port}/api/v1/client`, {
      headers: { authorization: `Basic ${Buffer.from(`${client}:${of}`).toString('base64')}` },
    })
  t.deepEqual(
    ((await (await streams('admin', secret)).json()) as { clients: { id: string }[] }).clients.map(({ id }) => id),
    ['admin'],
  )
  t.is((await streams('script', 'chosen for scripts')).status, 200)
  t.is((await streams('script', 'wrong')).status, 401)
  await served.drain()
  t.is(await served.closed, undefined)
  await t.throwsAsync(begin(['log', 'nats://127.0.0.1:1']), { code: 'ERR_STREAMSEA_OPTION_INVALID' })
})
