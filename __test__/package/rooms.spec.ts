import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import test from 'ava'

const root = join(import.meta.dirname, '..', '..')
const SYSTEMS = ['sttp', 'tia', 'cdtp', 'stream-sea', 'sisock']
const BELOW_SYSTEMS = ['batch', 'session', 'store', 'view']

/** Rooms that each room may import, beside itself. Ingest loads a system when a URL asks for it, and only then. */
const INWARD: Readonly<Record<string, readonly string[]>> = {
  batch: [],
  session: ['batch'],
  store: ['batch', 'session'],
  view: ['batch', 'session', 'store'],
  ...Object.fromEntries(SYSTEMS.map((system) => [system, BELOW_SYSTEMS])),
  ingest: BELOW_SYSTEMS,
  cli: [...BELOW_SYSTEMS, ...SYSTEMS, 'ingest'],
}

interface Import {
  readonly from: string
  readonly room: string
  readonly to: string
}

function imports(): Import[] {
  const ts = join(root, 'ts')
  const files = readdirSync(ts, { recursive: true, encoding: 'utf8' })
  return files
    .filter((file) => file.endsWith('.ts') && file.includes(sep) && !file.startsWith('native'))
    .flatMap((file) =>
      Array.from(
        readFileSync(join(ts, file), 'utf8').matchAll(/^(?:import|export)\b[^'"]*?from '(\.[^']+)'/gms),
        ([, to]) => {
          const target = relative(ts, join(ts, dirname(file), to as string))
          return { from: file, room: file.split(sep)[0] as string, to: target.split(sep)[0] as string }
        },
      ),
    )
}

test('rooms point inward, and no system knows of another', (t) => {
  const all = imports()
  t.true(all.length > 1000, `${all.length} imports were found`)
  const outward = all.filter(({ room, to }) => to !== room && to !== 'native' && !INWARD[room]?.includes(to))
  t.deepEqual(outward, [])
})

test('only codec.ts of a room touches the addon', (t) => {
  const touching = imports().filter(({ to }) => to === 'native')
  t.true(touching.length > 0)
  t.deepEqual(
    touching.filter(({ from }) => !from.endsWith(`${sep}codec.ts`)),
    [],
  )
})

test('the pure crates know nothing of Node', (t) => {
  const crates = readdirSync(join(root, 'crates')).filter((crate) => crate !== 'node')
  for (const crate of crates) {
    const manifest = readFileSync(join(root, 'crates', crate, 'Cargo.toml'), 'utf8')
    t.notRegex(manifest, /^(?:napi|measurand-node)/m, crate)
  }
})
