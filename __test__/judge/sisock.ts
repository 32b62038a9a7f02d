import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { deriveKey, signChallenge } from '../../ts/sisock/authentication.js'
import { Message } from '../../ts/sisock/router/message.js'
import { type SerializerName, serializer } from '../../ts/sisock/serializer.js'
import type { Judge } from './main.js'

interface Frame {
  readonly dir?: string
  readonly raw?: string
  readonly hex?: string
  readonly bytes?: unknown
  readonly msg?: unknown[]
}
interface AuthCase {
  readonly case: string
  readonly secret?: string
  readonly frames: readonly Frame[]
}
interface Exchange {
  readonly frames: readonly Frame[]
}

/** Reads every recorded message as our peers and our router do, writes it again, and recomputes every signature. */
export const judge: Judge = async function* (folder) {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const vector = JSON.parse(readFileSync(join(folder, file), 'utf8')) as AuthCase[] | Exchange
    if (Array.isArray(vector)) {
      for (const one of vector) {
        const detail = wrongSignature(one)
        yield { case: `${file} ${one.case}`, passed: detail === undefined, ...(detail === undefined ? {} : { detail }) }
      }
      continue
    }
    const name: SerializerName = file.includes('cbor') ? 'cbor' : file.includes('msgpack') ? 'msgpack' : 'json'
    let count = 0
    const wrong: string[] = []
    for (const frame of vector.frames) {
      if (frame.msg === undefined && frame.hex === undefined) continue
      count++
      const detail = wrongFrame(frame, name)
      if (detail !== undefined) wrong.push(`message ${count}: ${detail}`)
    }
    const passed = wrong.length === 0 && count > 0
    yield {
      case: `${file}: ${count} messages`,
      passed,
      ...(passed ? {} : { detail: wrong.slice(0, 3).join('; ') || 'none' }),
    }
  }
}

function wrongFrame({ raw, hex, msg }: Frame, name: SerializerName): string | undefined {
  const text = hex ?? raw
  if (text === undefined) return 'no bytes'
  const bytes = name === 'json' ? Buffer.from(text) : Buffer.from(text, 'hex')
  const one = serializer(name, { columns: false })
  const message = one.unserialize(bytes)
  // The binary recordings have the bytes alone.
  if (!Array.isArray(message) || (msg !== undefined && !isDeepStrictEqual(message, msg)))
    return 'read as something else'
  if (!isDeepStrictEqual(one.unserialize(one.serialize(message)), message)) return 'not read back as it was written'
  const head = new Message(name, Buffer.from(bytes))
  return head.type === message[0] ? undefined : `the router takes it for ${head.type}`
}

function wrongSignature({ secret, frames }: AuthCase): string | undefined {
  const challenge = frames.find(({ msg }) => msg?.[0] === 4)?.msg?.[2] as Record<string, unknown> | undefined
  const given = frames.find(({ msg }) => msg?.[0] === 5)?.msg?.[1]
  if (challenge === undefined || given === undefined)
    return frames.some(({ msg }) => msg?.[0] === 3) ? undefined : 'no ABORT'
  if (secret === undefined) return 'no secret'
  const { salt, iterations, keylen } = challenge as { salt?: string; iterations?: number; keylen?: number }
  const numbers = { ...(iterations === undefined ? {} : { iterations }), ...(keylen === undefined ? {} : { keylen }) }
  const key = salt === undefined ? secret : deriveKey(secret, { salt, ...numbers })
  // A refused exchange was signed with a wrong secret, and that is the one recorded: the signature follows from it all the same.
  return signChallenge(key, challenge['challenge'] as string) === given ? undefined : 'another signature'
}
