// Runs test commands, shows their output, and counts what passed and failed by what their runners print.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { ROOT, run } from './setup.mjs'

const INTEROP = join('__test__', 'interop')
const MINUTE = 60_000
/** Of one step; what takes longer hangs. */
const STEP_LIMIT = 20 * MINUTE
/** How long the output of a command that has ended may stay open: somebody whom it left behind may hold it. */
const LINGER = 5000

/**
 * Counts of a run. However it ends, the counts are its last line: a step that hangs is killed with all that it started,
 * and so is the step of a run that is told to end.
 */
export class Tally {
  passed = 0
  failed = 0
  #end
  #stepLimit
  /** Ends the step that runs. */
  #kill = () => {}

  /** @param limit ms of the whole run; what has not begun by then has failed */
  constructor({ limit = Number.POSITIVE_INFINITY, stepLimit = STEP_LIMIT } = {}) {
    this.#end = performance.now() + limit
    this.#stepLimit = stepLimit
  }

  /** What must be there before anything can be counted; where it cannot be had, that is the failure. */
  prepare(...works) {
    try {
      for (const work of works) work()
    } catch (error) {
      this.#giveUp(`setup failed: ${error.message}`)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => this.#giveUp(`ended by ${signal}`))
    process.once('uncaughtException', (error) => this.#giveUp(error.stack))
  }

  /** One check that is a whole command: it passes when the command exits 0. */
  async check(name, command, args) {
    const { code } = await this.#show(name, command, args)
    this.#add(code === 0 ? 1 : 0, code === 0 ? 0 : 1)
    if (code !== 0) process.stdout.write(`FAILED: ${name} (exit code ${code})\n`)
  }

  /** Rust tests: the sum of cargo's `test result` lines; an ignored test counts as failed. */
  async cargo(name, args) {
    const { code, text } = await this.#show(name, 'cargo', args)
    const results = [...text.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm)]
    const sum = (group) => results.reduce((total, result) => total + Number(result[group]), 0)
    this.#add(sum(1), sum(2) + sum(3), code, results.length)
  }

  /** TypeScript tests in TAP; every one of `files` must have run at least one test, a skipped test counts as failed. */
  async ava(name, files, args = []) {
    const { code, text } = await this.#show(name, 'npx', ['--no-install', 'ava', '--tap', ...args, ...files])
    const lines = [...text.matchAll(/^(ok|not ok) \d+ - (.*)$/gm)]
    const failed = lines.filter((line) => line[1] === 'not ok' || / # (SKIP|TODO)/.test(line[2])).length
    this.#add(lines.length - failed, failed, code, lines.length)
    const silent = files.filter(
      (file) => !lines.some((line) => titles(file).some((title) => line[2].startsWith(title))),
    )
    if (files.length > 1 && silent.length > 0) {
      process.stdout.write(`FAILED: these test files exist but ran no test: ${silent.join(', ')}\n`)
      this.failed += silent.length
    }
    process.stdout.write(`${files.length} test files, ${lines.length - failed} passed, ${failed} failed\n`)
  }

  /** The closing line, alone on a line; the exit code says the same. */
  close() {
    process.stdout.write(`\n${this.passed} passed, ${this.failed} failed\n`)
    process.exitCode = this.failed > 0 || this.passed === 0 ? 1 : 0
  }

  #giveUp(why) {
    process.stdout.write(`${why}\n`)
    this.#kill()
    this.failed++
    this.close()
    process.exit()
  }

  /** Runs a command in a process group of its own, and shows what it prints. */
  #show(name, command, args) {
    process.stdout.write(`\n== ${name}\n`)
    const limit = Math.min(this.#stepLimit, this.#end - performance.now())
    if (limit <= 0) {
      process.stdout.write('the time of the run is over\n')
      return Promise.resolve({ code: 124, text: '' })
    }
    return new Promise((resolve) => {
      let text = ''
      let killed
      const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
      this.#kill = () => {
        try {
          process.kill(-child.pid, 'SIGKILL')
        } catch {
          // Nobody is left.
        }
      }
      const timer = setTimeout(() => {
        killed = `killed: it took more than ${(limit / MINUTE).toFixed(1)} minutes`
        this.#kill()
      }, limit)
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (part) => {
          text += part
          process.stdout.write(part)
        })
      }
      const done = (code) => {
        clearTimeout(timer)
        this.#kill = () => {}
        if (killed !== undefined) process.stdout.write(`${killed}\n`)
        resolve({ code, text })
      }
      child.on('error', (error) => {
        text += error.message
        process.stdout.write(`${error.message}\n`)
        done(127)
      })
      child.on('exit', () => {
        const lingering = setTimeout(() => {
          process.stdout.write('what it left behind is killed\n')
          this.#kill()
          for (const stream of [child.stdout, child.stderr]) stream.destroy()
        }, LINGER)
        child.on('close', () => clearTimeout(lingering))
      })
      child.on('close', (code, signal) => done(killed === undefined ? (code ?? (signal && 1)) : 124))
    })
  }

  #add(passed, failed, code = 0, ran = 1) {
    this.passed += passed
    // A run that broke without a failed test (a crash, a compile error, no test found) is one failure.
    this.failed += failed === 0 && (code !== 0 || ran === 0) ? 1 : failed
  }
}

/** Spec files below a folder of the checkout, without those below another. */
function specs(folder, except) {
  return readdirSync(join(ROOT, folder), { recursive: true })
    .filter((file) => file.endsWith('.spec.ts'))
    .map((file) => join(folder, file))
    .filter((file) => except === undefined || !file.startsWith(except + sep))
    .sort()
}

/** Spec files that need no peer. */
export function ownSpecs() {
  return specs('__test__', INTEROP)
}

/** Systems that have interop tests. */
export function interopSystems() {
  return readdirSync(join(ROOT, INTEROP), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && specs(join(INTEROP, entry.name)).length > 0)
    .map((entry) => entry.name)
}

/** Installs each system's peers and runs its interop tests. */
export async function interop(tally, systems) {
  for (const system of systems) {
    // A peer that cannot be had fails its system's tests, which say the command to run.
    try {
      run(join(ROOT, 'scripts', 'peers'), ['--system', system], { timeout: STEP_LIMIT })
    } catch (error) {
      process.stderr.write(`${error.message}\n`)
    }
    await tally.ava(`interop: ${system}`, specs(join(INTEROP, system)), ['--config', 'ava.interop.config.js'])
  }
}

/** How ava begins the titles of a file's tests: the path, with or without the folders that all files of a run share. */
function titles(file) {
  const parts = relative('__test__', file)
    .replace(/\.spec\.ts$/, '')
    .split(sep)
  return parts.map((_, start) => `${parts.slice(start).join(' › ')} › `)
}
