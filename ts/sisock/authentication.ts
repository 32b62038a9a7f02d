import { createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'

/** How a secret is stretched before it signs. */
export interface Salt {
  readonly salt: string
  /** 1000 unless told. */
  readonly iterations?: number
  /** Bytes of the key; 32 unless told. */
  readonly keylen?: number
}

/** The key of a salted secret, as WAMP-CRA wants it: the base64 text itself. */
export function deriveKey(secret: string, { salt, iterations = 1000, keylen = 32 }: Salt): string {
  return pbkdf2Sync(secret, salt, iterations, keylen, 'sha256').toString('base64')
}

/** Answers a WAMP-CRA challenge, which is text to be signed as it came. */
export function signChallenge(key: string, challenge: string): string {
  return createHmac('sha256', key).update(challenge).digest('base64')
}

/** Whether a signature is the right one, in a time that does not tell how far it is right. */
export function isSignature(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)]
  return left.length === right.length && timingSafeEqual(left, right)
}
