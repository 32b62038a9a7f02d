import { CAPTURE_KIND, type CaptureItem } from '../session/capture.js'
import { WebSocketReader } from '../session/web-socket-reader.js'
import { streamSeaError } from './error-codes.js'
import { maskPayload } from './frame.js'

/** Blanks what authenticates in the items of a capture: secrets, tokens and `Authorization`, whose lengths stay. */
export function redactor(): (item: CaptureItem) => CaptureItem {
  /** Connections whose client has not said yet who it is. */
  const silent = new Map<number, WebSocketReader>()
  return (item) => {
    const { channel, direction, kind, bytes } = item
    if (direction !== 'sent') return item
    if (kind === CAPTURE_KIND.httpHead) {
      silent.set(channel, new WebSocketReader((reason) => streamSeaError('ERR_STREAMSEA_FRAME_INVALID', reason)))
      return { ...item, bytes: withoutAuthorization(bytes) }
    }
    const reader = kind === CAPTURE_KIND.stream ? silent.get(channel) : undefined
    if (reader === undefined) return item
    const copy = Buffer.from(bytes)
    const before = reader.offset
    try {
      for (const { opcode, offset, length, payload } of reader.read(bytes)) {
        if (opcode !== 1) continue
        const start = offset - before + length - payload.length
        maskPayload(copy, start, payload.length)
        blank(copy.subarray(start, start + payload.length))
        maskPayload(copy, start, payload.length)
        silent.delete(channel)
        break
      }
    } catch {
      // What is no WebSocket is captured as it is: it is what such a capture is looked at for.
      silent.delete(channel)
    }
    return { ...item, bytes: copy }
  }
}

function withoutAuthorization(head: Uint8Array): Uint8Array {
  const blanked = Buffer.from(head)
  const [, name = '', value = ''] = /^(authorization: *)(\S.*?)\r$/im.exec(blanked.toString('latin1')) ?? []
  if (value === '') return blanked
  const at = blanked.indexOf(`${name}${value}`, 0, 'latin1') + name.length
  return blanked.fill('0', at, at + value.length)
}

/** Writes zeros over the secret or the token, where it stands in the message. */
function blank(message: Buffer): void {
  const { payload } = JSON.parse(message.toString('utf8')) as { payload?: Record<string, unknown> }
  for (const secret of [payload?.['clientSecret'], payload?.['jwt']]) {
    if (typeof secret !== 'string') continue
    const written = Buffer.from(JSON.stringify(secret).slice(1, -1))
    const at = message.lastIndexOf(written)
    if (at >= 0) message.fill('0', at, at + written.length)
  }
}
