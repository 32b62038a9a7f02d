import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Program } from './program.js'

const EXAMPLES = join(import.meta.dirname, '..', 'examples')
const TSX = import.meta.resolve('tsx')

/** An example in a process of its own, as a reader of a guide runs it, and what it prints. */
export class Example extends Program {
  constructor(
    t: ExecutionContext,
    name: string,
    args: readonly string[] = [],
    { env = {}, cwd = join(EXAMPLES, '..') }: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
  ) {
    super(process.execPath, ['--import', TSX, join(EXAMPLES, `${name}.ts`), ...args], { cwd, env })
    t.teardown(async () => {
      await this.kill()
    })
  }

  /** Presses enter. */
  enter(): void {
    this.write('\n')
  }

  /** Presses Ctrl-C; gives the exit code. */
  interrupt(): Promise<number> {
    return this.kill('SIGINT')
  }
}
