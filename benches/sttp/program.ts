import { join } from 'node:path'
import { compiled } from '../harness/compiled.js'
import { BenchProcess } from '../harness/process.js'

/** Starts a program of this folder in a process of its own. */
export async function start(name: string, ...args: unknown[]): Promise<BenchProcess> {
  const program = await compiled(join(import.meta.dirname, `${name}.ts`))
  return new BenchProcess(process.execPath, [program, ...args.map(String)])
}

/** The port that a program says it listens on. */
export async function portOf(program: BenchProcess): Promise<string> {
  return (await program.line(/^port \d+$/)).slice(5)
}
