import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Program } from '../../program.js'

const root = join(import.meta.dirname, '..', '..', '..')
const python = join(root, '.peers', 'sttpapi', 'bin', 'python')

/** A program around the real sttpapi, beside this file; what it prints, and how it ended. */
export class Peer extends Program {
  constructor(program: string, ...args: string[]) {
    if (!existsSync(python)) throw new Error('sttpapi is not installed: run scripts/peers sttpapi')
    super(python, [join(import.meta.dirname, program), ...args])
  }

  /** The port on which a publisher says that it listens. */
  async listening(): Promise<number> {
    return Number(await this.printed(/pub listening port=(\d+)/))
  }
}
