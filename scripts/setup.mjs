// Brings a checkout to where everything runs: packages by the lock file, the addon, the compiled TypeScript.
// Does only what is out of date and prints on stderr only, so that a command behind it owns stdout.
//
//   node scripts/setup.mjs            install, build the addon (test profile), compile
//   node scripts/setup.mjs --release  the same with the addon as it is published
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const STAMPS = '.setup'

/** Runs a command with its output on stderr; throws with a plain sentence when it fails. */
export function run(command, args, options = {}) {
  const { hint, ...rest } = options
  const done = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2], ...rest })
  if (done.error?.code === 'ENOENT') throw new Error(`${command} is not on the PATH${hint ? `: ${hint}` : ''}`)
  if (done.status !== 0)
    throw new Error(`'${command} ${args.join(' ')}' failed with exit code ${done.status ?? done.signal}`)
}

/** Installs packages by the lock file. What is fetched may fail once: it is tried three times. */
function installPackages(cwd) {
  for (let attempt = 1; ; attempt++) {
    try {
      return run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd })
    } catch (error) {
      if (attempt === 3) throw error
      process.stderr.write(`setup: ${error.message}; once more\n`)
    }
  }
}

/** Does `work` unless the inputs are as they were when it last succeeded and its output is there. */
function step(name, { inputs, output }, work) {
  const digest = createHash('sha256')
  for (const file of inputs.flatMap(filesBelow).sort()) {
    const { size, mtimeMs } = statSync(file)
    digest.update(`${file} ${size} ${mtimeMs}\n`)
  }
  const now = digest.digest('hex')
  const stamp = join(ROOT, STAMPS, name)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now && existsSync(join(ROOT, output))) return
  process.stderr.write(`setup: ${name}\n`)
  rmSync(stamp, { force: true })
  work()
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, now)
}

function filesBelow(path) {
  const full = join(ROOT, path)
  if (!existsSync(full)) return []
  if (statSync(full).isFile()) return [full]
  return readdirSync(full, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes(join('ts', 'native')))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Installs, builds and compiles what is out of date. */
export function setup({ release = false } = {}) {
  step('packages', { inputs: ['package.json', 'package-lock.json'], output: 'node_modules/.package-lock.json' }, () => {
    installPackages(ROOT)
  })
  const [profile, other] = release ? ['release', 'dist-test'] : ['dist-test', 'release']
  step(`addon-${profile}`, { inputs: ['crates', 'Cargo.toml', 'Cargo.lock'], output: 'ts/native/index.js' }, () => {
    // The other profile's addon lies in the same place.
    rmSync(join(ROOT, STAMPS, `addon-${other}`), { force: true })
    buildAddon(profile, 'ts/native')
  })
  step('typescript', { inputs: ['ts', 'tsconfig.json', 'tsconfig.build.json'], output: 'dist/index.js' }, () => {
    rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
    run('npx', ['--no-install', 'tsc', '-p', 'tsconfig.build.json'])
  })
  const stamps = [`addon-${profile}`, 'typescript'].map((name) => join(STAMPS, name))
  step('native', { inputs: stamps, output: 'dist/native/index.js' }, () => {
    cpSync(join(ROOT, 'ts/native'), join(ROOT, 'dist/native'), { recursive: true })
  })
}

/** Installs the benches' own packages. */
export function setupBenches() {
  step('bench-packages', { inputs: ['benches/package-lock.json'], output: 'benches/node_modules' }, () => {
    installPackages(join(ROOT, 'benches'))
  })
}

/** Builds the addon with a Cargo profile into a folder of the checkout. */
export function buildAddon(profile, folder) {
  run('cargo', ['--version'], { hint: 'install Rust 1.95 or newer with rustup', stdio: 'ignore' })
  const args = ['--no-install', 'napi', 'build', '--platform', '--profile', profile, '--esm']
  args.push('--js', 'index.js', '--dts', 'index.d.ts', '-o', folder, '--manifest-path', 'crates/node/Cargo.toml')
  run('npx', args)
}

/** Ends the process with a sentence instead of a stack where set-up fails. */
export function setupOrExit(options) {
  try {
    setup(options)
  } catch (error) {
    process.stderr.write(`setup failed: ${error.message}\n`)
    process.exit(1)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  setupOrExit({ release: process.argv.includes('--release') })
}
