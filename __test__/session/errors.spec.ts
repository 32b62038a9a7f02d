import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { sessionError } from '../../ts/session/error-codes.js'
import {
  defineErrors,
  errorCodes,
  fromNative,
  LimitError,
  MalformedError,
  MeasurandError,
  TransportError,
  UsageError,
} from '../../ts/session/errors.js'

const testError = defineErrors('cdtp', {
  ERR_CDTP_TEST_BYTES: ['malformed', 'A test. Nothing to do.'],
  ERR_CDTP_TEST_LENGTH: ['limit', 'A test. Nothing to do.'],
})

test('the class of an error follows from its code', (t) => {
  const error: UsageError = sessionError('ERR_SESSION_CLOSED', 'closed')
  t.true(error instanceof UsageError)
  t.true(error instanceof MeasurandError)
  t.true(error instanceof Error)
  t.false((error as unknown) instanceof TransportError)
  t.is(error.name, 'UsageError')
  t.is(error.system, 'session')
  t.is(error.offset, undefined)
  t.false('cause' in error)
})

test('an error carries what is known of it', (t) => {
  const cause = new Error('below')
  const error = testError('ERR_CDTP_TEST_BYTES', 'bytes', { system: 'sttp', offset: 7, cause })
  t.true(error instanceof MalformedError)
  t.like(error, { code: 'ERR_CDTP_TEST_BYTES', system: 'sttp', offset: 7, cause, message: 'bytes' })
})

test('instanceof holds across copies of the package and not for lookalikes', async (t) => {
  const copy = (await import(`../../ts/session/errors.ts?${'copy'}`)) as typeof import('../../ts/session/errors.js')
  t.not(copy.LimitError, LimitError)
  const foreign = new copy.LimitError('ERR_X', 'x', 'cdtp')
  t.true(foreign instanceof LimitError)
  t.true(foreign instanceof MeasurandError)
  t.false((foreign as unknown) instanceof UsageError)
  t.false((new Error('plain') as unknown) instanceof MeasurandError)
  t.false((null as unknown) instanceof MeasurandError)
})

test('a class derived by a system is told apart from its base', (t) => {
  class SendTimeoutError extends TransportError {}
  t.true(new SendTimeoutError('ERR_X', 'x', 'cdtp') instanceof TransportError)
  t.true(new SendTimeoutError('ERR_X', 'x', 'cdtp') instanceof SendTimeoutError)
  t.false(new TransportError('ERR_X', 'x', 'cdtp') instanceof SendTimeoutError)
})

test('an error of the addon gets the class of its registered code', (t) => {
  const native = Object.assign(new Error('a frame of 2 GiB'), { code: 'ERR_CDTP_TEST_LENGTH' })
  const error = fromNative(native, 'tia', 12)
  t.true(error instanceof LimitError)
  t.like(error, { code: 'ERR_CDTP_TEST_LENGTH', system: 'tia', offset: 12, message: 'a frame of 2 GiB', cause: native })
  t.is(fromNative(error, 'sttp'), error)
  t.is(fromNative(Object.assign(new Error('?'), { code: 'ERR_NEVER' }), 'tia').code, 'ERR_NEVER')
  t.is(fromNative('thrown text', 'tia').message, 'thrown text')
})

test('a code is defined once', (t) => {
  t.throws(() => defineErrors('cdtp', { ERR_CDTP_TEST_BYTES: ['usage', 'again'] }), { message: /defined twice/ })
})

test('every code of the addon is registered, where its room registers any', async (t) => {
  for (const room of readdirSync('ts', { withFileTypes: true })) {
    if (!room.isDirectory() || room.name === 'native') continue
    if (readdirSync(`ts/${room.name}`).includes('error-codes.ts')) await import(`../../ts/${room.name}/error-codes.ts`)
  }
  const known = new Set(errorCodes().map(({ code }) => code))
  const roomOf = (code: string): string => code.split('_')[1] as string
  const rooms = new Set([...known].map(roomOf))
  const sources = readdirSync('crates/node/src', { recursive: true, encoding: 'utf8' }).filter((n) => n.endsWith('.rs'))
  const used = sources.flatMap(
    (name) => readFileSync(`crates/node/src/${name}`, 'utf8').match(/"ERR_[A-Z0-9_]+"/g) ?? [],
  )
  t.true(used.length > 0)
  t.deepEqual(
    [...new Set(used.map((code) => code.slice(1, -1)))].filter((code) => rooms.has(roomOf(code)) && !known.has(code)),
    [],
  )
})
