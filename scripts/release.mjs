// npm run release:rehearse: packs the root package and this platform's binary as a release would, installs both in an
// empty folder without any toolchain, and runs a program on them.
//
// What is committed names no platform packages; they are written into the copy that is packed.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildAddon, ROOT, run, setupOrExit } from './setup.mjs'

const read = (path) => JSON.parse(readFileSync(path, 'utf8'))
const write = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)

/** `npm pack` of a folder; gives the tarball's path. */
function pack(folder, into) {
  const done = spawnSync('npm', ['pack', '--silent', '--pack-destination', into], { cwd: folder, encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`npm pack failed in ${folder}: ${done.stderr}`)
  return join(into, done.stdout.trim().split('\n').at(-1))
}

setupOrExit()
const work = mkdtempSync(join(tmpdir(), 'measurand-release-'))
try {
  const staged = join(work, 'package')
  mkdirSync(staged)
  const manifest = read(join(ROOT, 'package.json'))
  for (const entry of ['dist', 'docs', 'README.md', 'CHANGELOG.md', 'LICENSE']) {
    cpSync(join(ROOT, entry), join(staged, entry), { recursive: true })
  }
  const platforms = readdirSync(join(ROOT, 'npm'))
  const { devDependencies: _, overrides: __, scripts: ___, ...published } = manifest
  write(join(staged, 'package.json'), {
    ...published,
    optionalDependencies: Object.fromEntries(
      platforms.map((name) => [`${manifest.napi.packageName}-${name}`, manifest.version]),
    ),
  })

  const native = join(work, 'native')
  buildAddon('release', native)
  const binary = readdirSync(native).find((file) => file.endsWith('.node'))
  const platform = binary.split('.').at(-2)
  const binding = join(work, 'binding')
  cpSync(join(ROOT, 'npm', platform), binding, { recursive: true })
  cpSync(join(native, binary), join(binding, binary))
  if (read(join(binding, 'package.json')).version !== manifest.version)
    throw new Error(`npm/${platform} has another version`)

  const user = join(work, 'user')
  mkdirSync(user)
  write(join(user, 'package.json'), { name: 'user', private: true, type: 'module' })
  const tarballs = [pack(staged, work), pack(binding, work)]
  run(
    'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--omit=peer', ...tarballs],
    { cwd: user },
  )
  writeFileSync(
    join(user, 'program.mjs'),
    `import { ticksToNs } from 'measurand'
import { Subscriber } from 'measurand/sttp'
if (ticksToNs(621355968000000000n) !== 0n || typeof Subscriber !== 'function') throw new Error('the installed package is broken')
`,
  )
  run(process.execPath, ['program.mjs'], { cwd: user })
  run('npx', ['--no-install', 'measurand', '--version'], { cwd: user })
  process.stdout.write(`release rehearsal passed: ${tarballs.map((path) => path.slice(work.length + 1)).join(', ')}\n`)
} catch (error) {
  process.stderr.write(`release rehearsal failed: ${error.message}\n`)
  process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
