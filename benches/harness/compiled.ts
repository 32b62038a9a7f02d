import { mkdirSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '..', '..')
/** Within reach of the packages of the benches and of the product. */
const OUT = join(ROOT, 'benches', 'node_modules', '.programs')
const done = new Map<string, Promise<string>>()

/**
 * A TypeScript program as the JavaScript that users of the package run: with a loader beside it the collector has three
 * times as much to look through, and a process that makes garbage of messages loses a fifth of its speed.
 */
export function compiled(program: string): Promise<string> {
  const known = done.get(program)
  if (known !== undefined) return known
  const name = relative(join(ROOT, 'benches'), dirname(program)).replaceAll(/\W/g, '-')
  const outfile = join(OUT, `${name}-${basename(program, '.ts')}.mjs`)
  mkdirSync(OUT, { recursive: true })
  const native = join(ROOT, 'ts', 'native', 'index.js')
  const job = build({
    entryPoints: [program],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    plugins: [
      {
        name: 'native',
        setup: ({ onResolve }) => onResolve({ filter: /native\/index\.js$/ }, () => ({ path: native, external: true })),
      },
    ],
  }).then(() => outfile)
  done.set(program, job)
  return job
}
