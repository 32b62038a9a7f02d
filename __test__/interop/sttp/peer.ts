import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..', '..')
const python = join(root, '.peers', 'sttpapi', 'bin', 'python')

/** A program around the real sttpapi, beside this file; what it prints, and how it ended. */
export class Peer {
  readonly #child: ChildProcess
  readonly #ended: Promise<number>
  #output = ''
  #waiting: (() => void)[] = []

  constructor(program: string, ...args: string[]) {
    if (!existsSync(python)) throw new Error('sttpapi is not installed: run scripts/peers sttpapi')
    this.#child = spawn(python, [join(import.meta.dirname, program), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
        for (const look of this.#waiting) look()
      })
    }
    this.#ended = new Promise((resolve) => {
      this.#child.on('close', (code) => {
        resolve(code ?? 1)
        for (const look of this.#waiting) look()
      })
    })
  }

  /** Everything that it has printed. */
  get output(): string {
    return this.#output
  }

  /** Resolves when it has printed this; rejects when it ends without. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const gone = this.#ended.then((code) => {
      throw new Error(`the peer ended with ${code} before ${pattern}:\n${this.#output}`)
    })
    const found = new Promise<RegExpExecArray>((resolve) => {
      const look = (): void => {
        const match = pattern.exec(this.#output)
        if (match !== null) resolve(match)
      }
      this.#waiting.push(look)
      look()
    })
    return Promise.race([found, gone])
  }

  /** The port on which a publisher says that it listens. */
  async listening(): Promise<number> {
    const [, port] = await this.printed(/pub listening port=(\d+)/)
    return Number(port)
  }

  /** Its exit code, when it has ended. */
  ended(): Promise<number> {
    return this.#ended
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
