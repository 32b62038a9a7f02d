// constellationdaq 1.0.2 in processes of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const PYTHON = join(ROOT, '.peers', 'constellationdaq', 'bin', 'python')

/** A Python program of this folder. */
export class Peer {
  readonly #child: ChildProcess
  readonly #ended: Promise<number>
  #output = ''
  #waiting: { text: RegExp; resolve: () => void }[] = []

  constructor(program: string, args: readonly string[]) {
    if (!existsSync(PYTHON)) throw new Error('constellationdaq is missing: scripts/peers constellationdaq')
    this.#child = spawn(PYTHON, ['-u', join(import.meta.dirname, program), ...args], {
      cwd: import.meta.dirname,
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    })
    const take = (text: string): void => {
      this.#output += text
      this.#waiting = this.#waiting.filter((waiting) => {
        if (!waiting.text.test(this.#output)) return true
        waiting.resolve()
        return false
      })
    }
    this.#child.stdout?.setEncoding('utf8').on('data', take)
    this.#child.stderr?.setEncoding('utf8').on('data', take)
    this.#ended = new Promise((resolve) => this.#child.on('close', (code) => resolve(code ?? -1)))
  }

  /** All that it has printed. */
  get output(): string {
    return this.#output
  }

  /** Its exit code. */
  get ended(): Promise<number> {
    return this.#ended
  }

  /** Resolves when it has printed that. */
  printed(text: RegExp): Promise<void> {
    if (text.test(this.#output)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, resolve })
      void this.#ended.then((code) => reject(new Error(`ended with ${code} before ${text}:\n${this.#output}`)))
    })
  }

  async kill(signal: 'SIGKILL' | 'SIGINT' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    this.#child.kill(signal)
    await this.#ended
  }
}
