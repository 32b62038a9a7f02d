import { type ChildProcess, spawn } from 'node:child_process'

/** A program in a process of its own, and what it prints. */
export class Program {
  /** What it has printed so far, on both streams. */
  output = ''
  /** Its exit code, when it has ended and all its output is here. */
  readonly ended: Promise<number>
  readonly #child: ChildProcess
  #waiting: (() => void)[] = []

  constructor(
    command: string,
    args: readonly string[],
    { cwd, env = {} }: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
  ) {
    this.#child = spawn(command, args, { ...(cwd === undefined ? {} : { cwd }), env: { ...process.env, ...env } })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        for (const look of this.#waiting) look()
      })
    }
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code) => resolve(code ?? -1))
    })
  }

  /** What it has printed of this, once it has: the first group, or all that matches; rejects when it ends without. */
  async printed(pattern: RegExp): Promise<string> {
    const gone = this.ended.then((code) => {
      throw new Error(`it ended with ${code} before ${pattern}:\n${this.output}`)
    })
    const found = new Promise<string>((resolve) => {
      const look = (): void => {
        const [all, group] = pattern.exec(this.output) ?? []
        if (all === undefined) return
        this.#waiting = this.#waiting.filter((waiting) => waiting !== look)
        resolve(group ?? all)
      }
      this.#waiting.push(look)
      look()
    })
    return Promise.race([found, gone])
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** Sends it a signal; gives its exit code when it has ended. */
  kill(signal: 'SIGKILL' | 'SIGINT' | 'SIGTERM' = 'SIGKILL'): Promise<number> {
    this.#child.kill(signal)
    return this.ended
  }
}
