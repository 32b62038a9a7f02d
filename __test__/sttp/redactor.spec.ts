import test from 'ava'
import fc from 'fast-check'
import { CAPTURE_KIND, type CaptureItem } from '../../ts/session/index.js'
import { redactor } from '../../ts/sttp/redactor.js'

const SECRET = 0xaa

function frame(response: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(10 + payload.length)
  bytes.writeUInt32BE(6 + payload.length, 0)
  bytes.set([response, 0x02], 4)
  bytes.writeUInt32BE(payload.length, 6)
  bytes.set(payload, 10)
  return bytes
}

/** `u8 active index`, then keys and initialization vectors, each behind its length. */
function keys(byte: number): Buffer {
  const part = (length: number): number[] => [0, 0, 0, length, ...new Array<number>(length).fill(byte)]
  return frame(0x85, Uint8Array.from([1, ...part(32), ...part(16), ...part(32), ...part(16)]))
}

function item(bytes: Uint8Array, more: Partial<CaptureItem> = {}): CaptureItem {
  return { time: 0n, channel: 0, direction: 'received', kind: CAPTURE_KIND.stream, bytes, ...more }
}

const data = frame(0x82, new Uint8Array(100).fill(SECRET))

test('keys become zeros and their lengths stay, however the bytes were cut', (t) => {
  const [stream, expected] = [
    Buffer.concat([data, keys(SECRET), data, keys(SECRET)]),
    Buffer.concat([data, keys(0), data, keys(0)]),
  ]
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 150 })), (lengths) => {
      const redact = redactor()
      const parts: Uint8Array[] = []
      let at = 0
      for (const length of [...lengths, stream.length]) {
        if (at >= stream.length) break
        parts.push(redact(item(stream.subarray(at, at + length))).bytes)
        at += length
      }
      return Buffer.concat(parts).equals(expected)
    }),
  )
  t.true(stream.includes(SECRET))
})

test('whatever bytes come, as many go', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (chunks) => {
      const redact = redactor()
      return chunks.every((bytes) => redact(item(bytes)).bytes.length === bytes.length)
    }),
  )
  t.pass()
})

test('connections are followed apart, and what is sent or comes by datagrams stays', (t) => {
  const redact = redactor()
  const bytes = keys(SECRET)
  t.deepEqual(redact(item(bytes.subarray(0, 20))).bytes.length, 20)
  t.deepEqual(Buffer.from(redact(item(bytes, { channel: 1 })).bytes), keys(0))
  t.is(redact(item(bytes, { direction: 'sent' })).bytes, bytes)
  t.is(redact(item(bytes, { kind: CAPTURE_KIND.datagram })).bytes, bytes)
})
