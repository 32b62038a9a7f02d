import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign, verify } from 'node:crypto'
import { promisify } from 'node:util'
import { streamSeaError } from './error-codes.js'
import { type Filter, isFilter } from './filter.js'

/** What a token says. */
export interface JwtClaims {
  /** When it ends, s since 1970-01-01 UTC; its connections are closed then. */
  readonly exp: number
  /** Whether its bearer has to subscribe with a group of its own. */
  readonly mustFanout?: boolean
  /** Which messages it lets through; all of the jail's unless told. */
  readonly filter?: Filter
  /** When it was made, s since 1970-01-01 UTC. */
  readonly iat?: number
}

const HEADER = Buffer.from('{"alg":"RS512","typ":"JWT"}').toString('base64url')
const MAX_TOKEN = 16_384
const generate = promisify(generateKeyPair)

/** A key pair for tokens: RSA of 2048 bits, PKCS#1 in PEM, as the stream-sea command line makes them. */
export function generateJwtKeys(): Promise<{ publicKey: string; privateKey: string }> {
  return generate('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
}

/** Signs a token by RS512, the only way that there is. `privateKey` is PEM text. */
export function signJwt(claims: JwtClaims, privateKey: string): string {
  let key: KeyObject
  try {
    key = createPrivateKey(privateKey)
  } catch (cause) {
    throw streamSeaError('ERR_STREAMSEA_JWT_INVALID', 'the private key is not PEM text of one', { cause })
  }
  if (key.asymmetricKeyType !== 'rsa') throw streamSeaError('ERR_STREAMSEA_JWT_INVALID', 'the key is not an RSA key')
  checkClaims(claims)
  const input = `${HEADER}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
  return `${input}.${sign('sha512', Buffer.from(input), key).toString('base64url')}`
}

/** The public key for tokens, from PKCS#1 or SPKI text; throws where it is not an RSA key of 2048 bits or more. */
export function readJwtPublicKey(pem: unknown): KeyObject {
  let key: KeyObject | undefined
  try {
    // A private key would be taken too, and a secret must not come here.
    if (typeof pem === 'string' && /^\s*-----BEGIN (RSA )?PUBLIC KEY-----/.test(pem)) key = createPublicKey(pem)
  } catch {
    key = undefined
  }
  if (key?.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) {
    throw streamSeaError('ERR_STREAMSEA_JWT_INVALID', 'the key is not a public RSA key of 2048 bits or more in PEM')
  }
  return key
}

/**
 * Checks a token: RS512 by this key and not over at `now` (ms since 1970-01-01 UTC). Throws
 * `ERR_STREAMSEA_JWT_INVALID`.
 */
export function verifyJwt(token: string, publicKey: KeyObject, now: number): JwtClaims {
  const refuse = (why: string): never => {
    throw streamSeaError('ERR_STREAMSEA_JWT_INVALID', why)
  }
  if (token.length > MAX_TOKEN || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) refuse('the token is not a compact JWS')
  const [header = '', payload = '', signature = ''] = token.split('.')
  const head = parse(header) as { alg?: unknown; crit?: unknown } | undefined
  // The algorithm is ours to say, not the token's: a public key must never become the secret of an HMAC.
  if (head?.alg !== 'RS512' || head.crit !== undefined) refuse('the token is not signed by RS512')
  const signed = Buffer.from(`${header}.${payload}`)
  if (!verify('sha512', signed, publicKey, Buffer.from(signature, 'base64url'))) refuse('the signature is wrong')
  const claims = parse(payload) as JwtClaims
  checkClaims(claims)
  if (claims.exp * 1000 <= now) refuse('the token is over')
  return claims
}

function parse(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}

function checkClaims(claims: JwtClaims | undefined): void {
  const refuse = (why: string): never => {
    throw streamSeaError('ERR_STREAMSEA_JWT_INVALID', why)
  }
  if (typeof claims !== 'object' || claims === null) refuse('the token has no claims')
  const { exp, mustFanout, filter } = claims as JwtClaims
  if (typeof exp !== 'number' || !Number.isFinite(exp)) refuse('`exp` is not a number')
  if (mustFanout !== undefined && typeof mustFanout !== 'boolean') refuse('`mustFanout` is not a boolean')
  if (filter !== undefined && !isFilter(filter)) refuse('`filter` is not an expression')
}
