import { streamSeaError } from './error-codes.js'

/** A server's answer. */
export interface HttpReply {
  readonly status: number
  /** The line of its status and its headers, as they came. */
  readonly head: string
  readonly body: Buffer
  /** Whether the connection takes another request. */
  readonly isReusable: boolean
  /** ms that the server keeps an idle connection, where it says so. */
  readonly keepFor: number | undefined
}

/** Bytes of a head, or of a line between chunks, at most. */
const MAX_HEAD = 16_384
const HEAD_END = Buffer.from('\r\n\r\n')
const NONE = Buffer.alloc(0)

const CONNECTION = headerPattern('connection')
const TRANSFER_ENCODING = headerPattern('transfer-encoding')
const CONTENT_LENGTH = headerPattern('content-length')
const KEEP_ALIVE = headerPattern('keep-alive')

/** Reads the answers of an HTTP/1.1 server to one request after the other, however their bytes come. */
export class HttpReplyReader {
  readonly #limit: number
  #rest: Buffer = NONE
  #head: Omit<HttpReply, 'body'> | undefined
  /** Bytes that are still to come: of the body, or of a chunk. */
  #left = 0
  /** `size` before a chunk, `data` in it, `after` behind it, `trailer` behind the last one. */
  #chunk: 'size' | 'data' | 'after' | 'trailer' | undefined
  #parts: Buffer[] = []
  #length = 0

  /** @param limit bytes of a body, at most */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether nothing of an answer has come. */
  get isIdle(): boolean {
    return this.#head === undefined && this.#rest.length === 0
  }

  /** Takes bytes; gives the answer when it is whole. Throws where it is none, or too long. */
  take(bytes: Buffer): HttpReply | undefined {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (this.#head === undefined) if (!this.#takeHead()) return undefined
    return this.#chunk === undefined ? this.#takeBody() : this.#takeChunks()
  }

  /** The server has closed: an answer without a length ends with that. */
  end(): HttpReply | undefined {
    return this.#head !== undefined && this.#left === Number.POSITIVE_INFINITY ? this.#finish() : undefined
  }

  #takeHead(): boolean {
    const end = this.#rest.indexOf(HEAD_END)
    if (end < 0) {
      if (this.#rest.length > MAX_HEAD) throw invalid('its head is too long')
      return false
    }
    if (end > MAX_HEAD) throw invalid('its head is too long')
    const text = this.#rest.toString('latin1', 0, end + 2)
    this.#rest = this.#rest.subarray(end + 4)
    const [, minor, digits] = /^HTTP\/1\.([01]) (\d{3})[ \r]/.exec(text) ?? []
    if (digits === undefined) throw invalid('it is not HTTP/1.1')
    const status = Number(digits)
    // What goes before an answer says nothing.
    if (status < 200) {
      if (status === 101) throw invalid('the server changes the protocol')
      return true
    }
    const connection = headerOf(text, CONNECTION)
    const coding = headerOf(text, TRANSFER_ENCODING)
    const length = headerOf(text, CONTENT_LENGTH)
    const keep = /timeout=(\d{1,9})/i.exec(headerOf(text, KEEP_ALIVE) ?? '')?.[1]
    if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || length !== undefined)) {
      throw invalid(`its transfer encoding is ${coding}`)
    }
    if (length !== undefined && !/^\d{1,15}$/.test(length)) throw invalid('its length is none')
    const isEmpty = status === 204 || status === 304
    this.#left = isEmpty ? 0 : Number(length ?? Number.POSITIVE_INFINITY)
    this.#chunk = coding === undefined || isEmpty ? undefined : 'size'
    const isEndless = this.#chunk === undefined && this.#left === Number.POSITIVE_INFINITY
    const isReusable = minor === '1' && !isEndless && !/\bclose\b/i.test(connection ?? '')
    this.#head = {
      status,
      head: `${text}\r\n`,
      isReusable,
      keepFor: keep === undefined ? undefined : 1000 * Number(keep),
    }
    if (this.#left !== Number.POSITIVE_INFINITY && this.#left > this.#limit) throw this.#tooLong()
    return true
  }

  #takeBody(): HttpReply | undefined {
    const part = this.#rest.subarray(0, Math.min(this.#left, this.#rest.length))
    this.#rest = this.#rest.subarray(part.length)
    this.#left -= part.length
    this.#keep(part)
    return this.#left === 0 ? this.#finish() : undefined
  }

  #takeChunks(): HttpReply | undefined {
    for (;;) {
      if (this.#chunk === 'data') {
        const part = this.#rest.subarray(0, this.#left)
        this.#rest = this.#rest.subarray(part.length)
        this.#left -= part.length
        this.#keep(part)
        if (this.#left > 0) return undefined
        this.#chunk = 'after'
      }
      const end = this.#rest.indexOf('\r\n')
      if (end < 0) {
        if (this.#rest.length > MAX_HEAD) throw invalid('a line between its chunks is too long')
        return undefined
      }
      const line = this.#rest.toString('latin1', 0, end)
      this.#rest = this.#rest.subarray(end + 2)
      if (this.#chunk === 'trailer') {
        if (line === '') return this.#finish()
      } else if (this.#chunk === 'after') {
        if (line !== '') throw invalid('a chunk is longer than it says')
        this.#chunk = 'size'
      } else {
        const size = /^([\da-f]{1,8})\s*(?:;|$)/i.exec(line)?.[1]
        if (size === undefined) throw invalid('a chunk has no size')
        this.#left = Number.parseInt(size, 16)
        this.#chunk = this.#left === 0 ? 'trailer' : 'data'
      }
    }
  }

  #keep(part: Buffer): void {
    this.#length += part.length
    if (this.#length > this.#limit) throw this.#tooLong()
    if (part.length > 0) this.#parts.push(part)
  }

  #finish(): HttpReply {
    const { isReusable, ...head } = this.#head as Omit<HttpReply, 'body'>
    const body = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts)
    // Nobody asked for what follows: such a connection is not used again.
    const isClean = this.#rest.length === 0
    this.#head = undefined
    this.#chunk = undefined
    this.#parts = []
    this.#length = 0
    return { ...head, body, isReusable: isReusable && isClean }
  }

  #tooLong(): Error {
    return streamSeaError('ERR_STREAMSEA_BODY_LENGTH', `a reply of more than ${this.#limit} bytes`)
  }
}

/** A head of HTTP as text. */
export function headText(line: string, headers: readonly string[]): string {
  let text = `${line}\r\n`
  for (let at = 0; at + 1 < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`
  return `${text}\r\n`
}

/** The value of a header; two of one name are told apart by nobody, so they must be the same. */
function headerOf(head: string, header: RegExp): string | undefined {
  header.lastIndex = 0
  const value = header.exec(head)?.[1]
  if (value === undefined) return undefined
  for (let other = header.exec(head); other !== null; other = header.exec(head)) {
    if (other[1] !== value) throw invalid(`it says ${other[0].trim()} beside ${value}`)
  }
  return value
}

function headerPattern(name: string): RegExp {
  return new RegExp(`\\r\\n${name}:[ \\t]*([^\\r\\n]*?)[ \\t]*(?=\\r\\n)`, 'gi')
}

function invalid(why: string): Error {
  return streamSeaError('ERR_STREAMSEA_REPLY_INVALID', `the reply is not HTTP: ${why}`)
}
