import { CAPTURE_KIND, type CaptureItem } from '../session/capture.js'
import { framingOfHead } from './capture.js'
import { TYPE } from './router/message.js'
import { type Framing, serializer } from './serializer.js'

/** Blanks what authenticates in the items of a capture: challenges and signatures, whose lengths stay. */
export function redactor(): (item: CaptureItem) => CaptureItem {
  /** Connections whose session is not open yet. */
  const joining = new Map<number, Framing>()
  return (item) => {
    const { channel, kind, bytes } = item
    if (kind === CAPTURE_KIND.httpHead) {
      const framing = framingOfHead(bytes)
      if (framing !== undefined) joining.set(channel, framing)
      return item
    }
    const framing = joining.get(channel)
    if (framing === undefined) return item
    const copy = Buffer.from(bytes)
    try {
      for (const message of framing.split(copy)) {
        const [type, first, second] = serializer(framing.name).unserialize(message) as unknown[]
        if (type === TYPE.welcome) joining.delete(channel)
        if (type === TYPE.authenticate) blank(message, first, framing)
        if (type === TYPE.challenge) blank(message, (second as { challenge?: unknown }).challenge, framing)
      }
    } catch {
      // What is no message is captured as it is: it is what such a capture is looked at for.
    }
    return { ...item, bytes: copy }
  }
}

/** Writes zeros over a text, where it stands in the message. */
function blank(message: Buffer, text: unknown, { name }: Framing): void {
  if (typeof text !== 'string') return
  const written = Buffer.from(name === 'json' ? JSON.stringify(text).slice(1, -1) : text)
  const at = message.indexOf(written)
  if (at >= 0) message.fill('0', at, at + written.length)
}
