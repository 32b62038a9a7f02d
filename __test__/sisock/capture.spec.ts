import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { CAPTURE_KIND, type CaptureItem, CapturingNetwork } from '../../ts/session/capture.js'
import { systemClock } from '../../ts/session/clock.js'
import { systemNetwork } from '../../ts/session/system-network.js'
import { DataNodeSource } from '../../ts/sisock/data-node-source.js'
import { decodeCapture } from '../../ts/sisock/decode.js'
import { redactor } from '../../ts/sisock/redactor.js'
import { SyntheticNode } from '../../ts/sisock/synthetic-node.js'
import { measurand } from '../cli/streams.js'
import { house, USERS } from './house.js'

const T0 = 1_704_067_200
type Line = { type?: string; event: string; direction: string; fields: Record<string, unknown> }

test('capture, decode and replay --raw by the command line: a client that asks again gets the same rows', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'measurand-sisock-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [file, secret] = [join(folder, 'session.cap'), join(folder, 'secret')]
  await writeFile(secret, USERS.simonsobs.secret)
  const home = await house(t)
  await home.hub()
  await home.keep(new SyntheticNode({ ...home.server, signals: 2, rate: 10, frames: 40 })).connect()
  const asked = ['--secret-file', secret, `--since=${T0}`, `--until=${T0 + 60}`]
  const captured = await measurand([
    ...['capture', `sisock://simonsobs@127.0.0.1:${home.port}/synthetic`, '-o', file, '--json'],
    ...asked,
  ])
  t.is(captured.code, 0, captured.stderr)
  t.like(captured.lines.at(-1), { event: 'summary', received: 80, stored: 80 })

  const decoded = await measurand(['decode', 'sisock', file])
  t.is(decoded.code, 0, decoded.stderr)
  const lines = decoded.lines as unknown as Line[]
  t.deepEqual(
    lines.slice(0, 4).map(({ type, direction }) => `${direction} ${type}`),
    ['c2s HELLO', 's2c CHALLENGE', 'c2s AUTHENTICATE', 's2c WELCOME'],
  )
  t.true(lines.some(({ fields }) => String(fields['procedure']).endsWith('synthetic.get_columns')))

  let listening = (_port: string): void => {}
  const told = new Promise<string>((resolve) => {
    listening = resolve
  })
  const replay = measurand(
    ['replay', file, '--raw', '--speed', 'max', '--to', 'sisock://127.0.0.1?listen=1', '--json'],
    [],
    undefined,
    (text) => {
      const [, bound] = /listening on port (\d+)/.exec(text) ?? []
      if (bound !== undefined) listening(bound)
    },
  )
  const tailed = await measurand(['tail', `sisock://simonsobs@127.0.0.1:${await told}/synthetic`, '--json', ...asked])
  t.is(tailed.code, 0, tailed.stderr)
  const rows = tailed.lines.filter(({ event }) => event === 'measurement')
  const formula = [0, 1].flatMap((k) => Array.from({ length: 40 }, (_, n) => 1000 * k + 0.25 * n))
  t.deepEqual(
    rows.map(({ value }) => value),
    formula,
  )
  t.is((await replay).code, 0)

  const toRouter = await measurand(['replay', file, '--raw', '--to', `sisock://127.0.0.1:${home.port}`])
  t.is(toRouter.code, 1)
  t.regex(toRouter.stderr, /ERR_CLI_OPTION_INVALID/)
})

for (const name of ['json', 'msgpack', 'cbor'] as const) {
  test(`${name}: what authenticates is blanked in a capture, and nothing else`, async (t) => {
    const home = await house(t)
    await home.hub()
    await home.keep(new SyntheticNode({ ...home.server, signals: 1, rate: 10, frames: 40 })).connect()
    const items: CaptureItem[] = []
    const take = (item: CaptureItem) => void items.push({ ...item, bytes: Uint8Array.from(item.bytes) })
    const source = new DataNodeSource({
      wamp: { url: home.url, user: 'simonsobs', secret: USERS.simonsobs.secret, serializers: [name] },
      network: new CapturingNetwork(systemNetwork, systemClock, take),
      node: 'synthetic',
      since: T0,
      until: T0 + 60,
    })
    await source.connect()
    let count = 0
    for await (const batch of source) count += batch.length
    t.is(count, 40)
    await source.close()
    t.is(items[0]?.kind, CAPTURE_KIND.httpHead)

    const linesOf = async (capture: CaptureItem[]): Promise<Line[]> => {
      const found: Line[] = []
      const all = (async function* () {
        yield* capture
      })()
      for await (const line of decodeCapture(all, new Map())) found.push(line as Line)
      return found
    }
    const before = await linesOf(items)
    const after = await linesOf(items.map(redactor()))
    t.is(after.length, before.length)
    let blanked = 0
    for (const [index, line] of before.entries()) {
      const other = after[index] as Line
      if (line.type === 'CHALLENGE') {
        t.regex((other.fields['extra'] as { challenge: string }).challenge, /^0+$/)
        t.regex((line.fields['extra'] as { challenge: string }).challenge, /nonce/)
        blanked++
      } else if (line.type === 'AUTHENTICATE') {
        t.regex(String(other.fields['signature']), /^0+$/)
        blanked++
      } else t.deepEqual(other, line)
    }
    t.is(blanked, 2)
  })
}
