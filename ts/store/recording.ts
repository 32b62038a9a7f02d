import { join } from 'node:path'
import { type Clock, systemClock } from '../session/index.js'
import { storeError } from './error-codes.js'
import { makeDirectory, namesIn } from './layout.js'
import { Lock } from './lock.js'
import { newEntry, readRecordingFile, type SourceEntry, writeRecordingFile } from './recording-file.js'
import { type Recovery, recoverSource } from './recovery.js'

/**
 * A recording's directory, opened for writing: `recording.json`, one directory a source, and a lock against a second
 * writer.
 *
 * ```ts
 * const recording = await Recording.open('monday')
 * for (const { source, cut } of recording.recovered) console.error(`${source}: ${cut.length} files were cut`)
 * const { directory } = await recording.add({ name: 'pdc', system: 'sttp', url: 'sttp://127.0.0.1:7165' })
 * await recording.close()
 * ```
 */
export class Recording {
  readonly directory: string
  /** Sources whose writer had died, and what was done to them. */
  readonly recovered: readonly Recovery[]
  readonly #lock: Lock
  #sources: readonly SourceEntry[]
  #adding: Promise<unknown> = Promise.resolve()

  private constructor(directory: string, lock: Lock, sources: readonly SourceEntry[], recovered: readonly Recovery[]) {
    this.directory = directory
    this.#lock = lock
    this.#sources = sources
    this.recovered = recovered
  }

  /** Opens a recording, or makes one in a directory that is empty or not there yet. */
  static async open(directory: string, clock: Clock = systemClock): Promise<Recording> {
    await makeDirectory(directory)
    const file = await readRecordingFile(directory)
    const isTemporary = (name: string): boolean => /^recording\.(?:lock|json\.tmp)/.test(name)
    if (file === undefined && (await namesIn(directory)).some((name) => !isTemporary(name))) {
      throw storeError('ERR_STORE_DIRECTORY_FOREIGN', `${directory} has files but no recording.json`)
    }
    const lock = await Lock.take(directory)
    try {
      const recovered: Recovery[] = []
      for (const { name } of file?.sources ?? []) {
        const recovery = await recoverSource(join(directory, name), name, clock)
        if (recovery !== undefined) recovered.push(recovery)
      }
      if (file === undefined) await writeRecordingFile(directory, [])
      return new Recording(directory, lock, file?.sources ?? [], recovered)
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** Its sources, those of earlier times included. */
  get sources(): readonly SourceEntry[] {
    return this.#sources
  }

  /** Adds a source under a name that no other has; gives its entry and its directory. */
  add(source: SourceEntry): Promise<SourceEntry & { readonly directory: string }> {
    const added = this.#adding.then(async () => {
      const entry = newEntry(source, this.#sources)
      const directory = join(this.directory, entry.name)
      await makeDirectory(directory)
      await writeRecordingFile(this.directory, [...this.#sources, entry])
      this.#sources = [...this.#sources, entry]
      return { ...entry, directory }
    })
    this.#adding = added.catch(() => {})
    return added
  }

  /** Gives the directory free for other writers. */
  async close(): Promise<void> {
    await this.#adding
    await this.#lock.release()
  }
}
