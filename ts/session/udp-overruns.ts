import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'

/** How often the system's counter is looked at, ms. */
const INTERVAL = 1000

/**
 * Tells of datagrams that the system threw away because a socket's buffer was full. Linux counts them for each socket in
 * `/proc/net/udp`; elsewhere nobody can know, and nothing is told.
 */
export class Overruns {
  readonly #path: string
  readonly #port: number
  readonly #tell: (datagrams: number) => void
  readonly #timer: NodeJS.Timeout
  #known: number | undefined

  /** @param tell hears how many datagrams are lost more */
  constructor({ family, port }: AddressInfo, tell: (datagrams: number) => void) {
    this.#path = family === 'IPv6' ? '/proc/net/udp6' : '/proc/net/udp'
    this.#port = port
    this.#tell = tell
    this.#look(this.#readNow())
    this.#timer = setInterval(() => {
      readFile(this.#path, 'latin1').then(
        (table) => this.#look(table),
        () => {},
      )
    }, INTERVAL)
    this.#timer.unref()
  }

  /** Looks a last time, while the socket is open. */
  close(): void {
    clearInterval(this.#timer)
    this.#look(this.#readNow())
  }

  #readNow(): string {
    try {
      return readFileSync(this.#path, 'latin1')
    } catch {
      return ''
    }
  }

  #look(table: string): void {
    const drops = dropsOf(table, this.#port)
    if (drops === undefined) return
    const more = drops - (this.#known ?? drops)
    this.#known = drops
    if (more > 0) this.#tell(more)
  }
}

/** Datagrams that were thrown away by the sockets of a port, as the table of Linux says. */
function dropsOf(table: string, port: number): number | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  let drops: number | undefined
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (fields[1]?.endsWith(`:${hex}`)) drops = (drops ?? 0) + Number(fields.at(-1))
  }
  return drops
}
