import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'

const root = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const manifest = JSON.parse(read('package.json'))

test('npm ci accepts the committed lock', (t) => {
  const done = spawnSync('npm', ['ci', '--dry-run', '--ignore-scripts', '--no-audit'], { cwd: root, encoding: 'utf8' })
  t.is(done.status, 0, done.stderr)
})

test('the lock names no download address and no platform package of ours', (t) => {
  for (const lock of ['package-lock.json', 'benches/package-lock.json']) t.notRegex(read(lock), /"resolved": "https?:/)
  t.notRegex(read('package-lock.json'), /@measurand\/binding-/)
  t.is(manifest.optionalDependencies, undefined)
})

test('there is a platform package for each target, and says of itself what the package says', (t) => {
  const platforms = readdirSync(join(root, 'npm'))
  t.is(platforms.length, manifest.napi.targets.length)
  for (const platform of platforms) {
    const { name, version, description, license, engines } = JSON.parse(read(`npm/${platform}/package.json`))
    t.is(name, `@measurand/binding-${platform}`)
    t.is(version, manifest.version)
    t.deepEqual([description, license], [manifest.description, manifest.license])
    t.deepEqual(engines, manifest.engines)
  }
})

test('crates and package have one version', (t) => {
  t.regex(read('Cargo.toml'), new RegExp(`^version = "${manifest.version}"$`, 'm'))
})
