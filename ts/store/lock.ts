import { randomUUID } from 'node:crypto'
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { onFile, storeError } from './error-codes.js'

/** Who writes a recording. */
interface Holder {
  readonly pid: number
  readonly host: string
  /** When the process started, in the kernel's words: numbers of processes come again. */
  readonly started: string
  readonly token: string
}

const NAME = 'recording.lock'

/** Sees to it that one process writes a recording. A lock whose process is gone is taken over. */
export class Lock {
  readonly #path: string
  readonly #token: string

  private constructor(path: string, token: string) {
    this.#path = path
    this.#token = token
  }

  static async take(directory: string): Promise<Lock> {
    const path = join(directory, NAME)
    const holder: Holder = {
      pid: process.pid,
      host: hostname(),
      started: await startOf(process.pid),
      token: randomUUID(),
    }
    const own = `${path}.${holder.token}`
    // A link makes the lock with its content in one step, so that nobody reads half of it.
    await onFile('write', own, () => writeFile(own, JSON.stringify(holder), { flag: 'wx', mode: 0o600 }))
    try {
      await acquire(path, own)
    } finally {
      await unlink(own).catch(() => {})
    }
    return new Lock(path, holder.token)
  }

  /** Whether a process has it that lives, or that is on another host. */
  static async isHeld(directory: string): Promise<boolean> {
    const holder = await read(join(directory, NAME))
    return holder !== undefined && (await isAlive(holder))
  }

  /** Gives it back. */
  async release(): Promise<void> {
    const holder = await read(this.#path)
    if (holder?.token === this.#token) await onFile('write', this.#path, () => unlink(this.#path))
  }
}

/**
 * Makes `path` the own lock. Whoever replaces that of a dead process has a lock of its own to do so, by the dead one's token, and
 * looks again when it has it: others may have found it dead too, and one of them may have replaced it since.
 */
async function acquire(path: string, own: string): Promise<void> {
  while (!(await isLinked(own, path))) {
    const holder = await read(path)
    if (holder === undefined) continue
    if (await isAlive(holder)) {
      const { pid, host } = holder
      const where = host === hostname() ? '' : ` on ${host}; if it is gone, remove ${path}`
      throw storeError('ERR_STORE_LOCKED', `process ${pid}${where} writes this recording`)
    }
    const succession = `${path}.${holder.token}`
    await acquire(succession, own)
    try {
      if ((await read(path))?.token === holder.token) return await replace(path, own)
    } finally {
      await onFile('write', succession, () => unlink(succession))
    }
  }
}

async function isLinked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    return onFile('write', path, () => Promise.reject(error))
  }
}

/** Puts the own lock in the place of what is there, in one step. */
async function replace(path: string, own: string): Promise<void> {
  const next = `${own}.next`
  await onFile('write', path, () => link(own, next))
  await onFile('write', path, () => rename(next, path))
}

/** Of a process on another host nobody knows better. */
async function isAlive({ pid, host, started }: Holder): Promise<boolean> {
  return host !== hostname() || (await startOf(pid)) === started
}

async function read(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw storeError('ERR_STORE_LOCKED', `${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

/** When a process started, `''` where it is not there; where the system does not tell, whether it is there. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // Field 22, counted behind the name in parentheses, which can hold anything.
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  if (process.platform === 'linux') return ''
  try {
    process.kill(pid, 0)
    return 'running'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'running' : ''
  }
}
