import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Program } from '../../program.js'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const PYTHON = join(ROOT, '.peers', 'constellationdaq', 'bin', 'python')

/** A program of this folder around constellationdaq 1.0.2. */
export class Peer extends Program {
  constructor(program: string, args: readonly string[]) {
    if (!existsSync(PYTHON)) throw new Error('constellationdaq is missing: scripts/peers constellationdaq')
    const cwd = import.meta.dirname
    super(PYTHON, ['-u', join(cwd, program), ...args], { cwd, env: { PYTHONDONTWRITEBYTECODE: '1' } })
  }

  /** A satellite that is in its group. */
  static async satellite(kind: 'tx' | 'rx', group: string, name = 'one'): Promise<Peer> {
    const peer = new Peer(`sat_${kind}.py`, ['--group', group, '--name', name])
    await peer.printed(/ready\s+to\s+launch/)
    return peer
  }
}
