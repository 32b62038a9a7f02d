// stream-sea-client 0.7.0 in processes of its own: Python 3.11 for HTTP, 3.9 for its WebSocket side.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..', '..')

/** A Python program of this folder. */
export class Python {
  readonly #child: ChildProcess
  readonly ended: Promise<number>
  output = ''
  #wake: () => void = () => {}

  constructor(version: '39' | '311', program: string, args: readonly string[]) {
    const python = join(ROOT, '.peers', `streamsea-py${version}`, 'bin', 'python')
    if (!existsSync(python)) throw new Error(`the Python client is missing: scripts/peers streamsea-py${version}`)
    this.#child = spawn(python, ['-u', join(import.meta.dirname, program), ...args], {
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    })
    const take = (text: string): void => {
      this.output += text
      this.#wake()
    }
    this.#child.stdout?.setEncoding('utf8').on('data', take)
    this.#child.stderr?.setEncoding('utf8').on('data', take)
    this.ended = new Promise((resolve) => {
      this.#child.on('close', (code) => {
        resolve(code ?? -1)
        this.#wake()
      })
    })
  }

  /** The first line that matches; rejects when the program ends without it. */
  async line(matches: RegExp): Promise<string> {
    let code: number | undefined
    void this.ended.then((value) => {
      code = value
    })
    for (;;) {
      const found = this.output.split('\n').find((line) => matches.test(line))
      if (found !== undefined) return found
      if (code !== undefined) throw new Error(`ended with ${code} before ${matches}:\n${this.output}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Ends its input, which it waits for. */
  finish(): Promise<number> {
    this.#child.stdin?.end()
    return this.ended
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
