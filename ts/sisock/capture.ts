import { Framing, type SerializerName } from './serializer.js'

/** The framing that the HTTP head of a router's answer names. */
export function framingOfHead(head: Uint8Array): Framing | undefined {
  const [, subprotocol] = /^sec-websocket-protocol: *(\S+)/im.exec(Buffer.from(head).toString('latin1')) ?? []
  return subprotocol === undefined ? undefined : Framing.of(subprotocol)
}

/** MessagePack and CBOR begin an array of fewer than 16 items by different bytes, and a batch by its length. */
export function guessFraming({ opcode, payload }: { opcode: number; payload: Buffer }): Framing {
  if (opcode === 1) return new Framing('json', payload.at(-1) === 0x18)
  const isBatched = (payload[0] ?? 0) < 0x80
  const first = payload[isBatched ? 4 : 0] ?? 0
  const name: SerializerName = first >= 0x90 ? 'msgpack' : 'cbor'
  return new Framing(name, isBatched)
}
