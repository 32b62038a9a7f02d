import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

const EXAMPLES = join(import.meta.dirname, '..', 'examples')
const TSX = import.meta.resolve('tsx')

/** An example in a process of its own, as a reader of a guide runs it, and what it prints. */
export class Example {
  /** What it has printed so far, on both streams. */
  output = ''
  /** Its exit code, when it has ended. */
  readonly ended: Promise<number>
  readonly #child: ChildProcess
  #wake: () => void = () => {}

  constructor(
    t: ExecutionContext,
    name: string,
    args: readonly string[] = [],
    { env, cwd = join(EXAMPLES, '..') }: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
  ) {
    this.#child = spawn(process.execPath, ['--import', TSX, join(EXAMPLES, `${name}.ts`), ...args], {
      cwd,
      env: { ...process.env, ...env },
    })
    t.teardown(() => this.#child.kill('SIGKILL'))
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        this.#wake()
      })
    }
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code) => {
        resolve(code ?? -1)
        this.#wake()
      })
    })
  }

  /** What it has printed of this, once it has: the first group, or all that matches. */
  async printed(pattern: RegExp): Promise<string> {
    for (;;) {
      const [all, group] = pattern.exec(this.output) ?? []
      if (all !== undefined) return group ?? all
      if (this.#child.exitCode !== null) throw new Error(`it ended before ${pattern}: ${this.output}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Presses enter. */
  enter(): void {
    this.#child.stdin?.write('\n')
  }

  /** Presses Ctrl-C; gives the exit code. */
  interrupt(): Promise<number> {
    this.#child.kill('SIGINT')
    return this.ended
  }
}
