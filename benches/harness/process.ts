import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Sample } from './bench.js'

/** CPU seconds and peak memory of a running process, from the kernel's books; undefined once it is gone. */
function usage(pid: number): { cpuSeconds: number; peakMiB: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, peakMiB: Number(peak?.[1] ?? 0) / 1024 }
  } catch {
    return undefined
  }
}

/** A process of a bench: its standard output as lines, its kernel books read while it runs. */
export class BenchProcess {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #waiting: { matches: (line: string) => boolean; resolve: (line: string) => void }[] = []
  readonly #ended: Promise<number>
  readonly #errors: string[] = []
  #usage = { cpuSeconds: 0, peakMiB: 0 }

  constructor(command: string, args: readonly string[], env: Record<string, string> = {}) {
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
    let rest = ''
    this.#child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      const lines = (rest + part).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#line(line)
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (part: string) => this.#errors.push(part))
    const timer = setInterval(() => {
      this.#usage = usage(this.#child.pid ?? 0) ?? this.#usage
    }, 20)
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (code) => {
        clearInterval(timer)
        resolve(code ?? 1)
      })
    })
  }

  /** The first line from now or before that matches; rejects when the process ends without it. */
  async line(matches: RegExp): Promise<string> {
    const known = this.#lines.find((line) => matches.test(line))
    if (known !== undefined) return known
    const found = new Promise<string>((resolve) => {
      this.#waiting.push({ matches: (line) => matches.test(line), resolve })
    })
    const gone = this.#ended.then((code) => {
      throw new Error(`ended with ${code} before ${matches}: ${this.#errors.join('').slice(-2000)}`)
    })
    return Promise.race([found, gone])
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** Its last JSON line as a sample, with the kernel's books where it does not say its own; throws if it failed. */
  async sample(): Promise<Sample> {
    const line = await this.line(/^\{.*"items".*\}$/)
    const own = usage(this.#child.pid ?? 0) ?? this.#usage
    const code = await this.#ended
    if (code !== 0) throw new Error(`ended with ${code}: ${this.#errors.join('').slice(-2000)}`)
    return { ...own, ...(JSON.parse(line) as Sample) }
  }

  /** What it used, once it has ended by itself; throws if it failed. */
  async ended(): Promise<{ readonly cpuSeconds: number; readonly peakMiB: number }> {
    const code = await this.#ended
    if (code !== 0) throw new Error(`ended with ${code}: ${this.#errors.join('').slice(-2000)}`)
    return this.#usage
  }

  /** Ends it. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #line(line: string): void {
    this.#lines.push(line)
    for (const waiting of this.#waiting) if (waiting.matches(line)) waiting.resolve(line)
  }
}

/** Runs a program that prints `{"items":n,"seconds":s}` as a JSON line. */
export function timedProcess(command: string, args: readonly string[], env?: Record<string, string>): Promise<Sample> {
  return new BenchProcess(command, args, env).sample()
}
