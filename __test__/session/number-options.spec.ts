import test from 'ava'
import { DataReceiver } from '../../ts/cdtp/index.js'
import { COUNT, checkNumbers, TIMEOUT, UsageError, WAIT } from '../../ts/session/index.js'
import { StreamSeaClient } from '../../ts/stream-sea/index.js'
import { Publisher, Subscriber } from '../../ts/sttp/index.js'
import { TiAClient, TiAServer } from '../../ts/tia/index.js'

const WRONG = [-1, 1.9, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40, '7', null, 7n] as never[]
const refused = { code: 'ERR_SESSION_OPTION_INVALID', instanceOf: UsageError }

test('a count is a whole number that native code takes as it is, a time out one that a timer takes, a wait any', (t) => {
  for (const bytes of WRONG) t.throws(() => checkNumbers({ bytes }, { bytes: COUNT }), refused, String(bytes))
  for (const bytes of [1, 4096, 0xffff_ffff]) t.notThrows(() => checkNumbers({ bytes }, { bytes: COUNT }))
  for (const ms of WRONG.filter((value) => value !== 1.9)) {
    t.throws(() => checkNumbers({ ms }, { ms: TIMEOUT }), refused, String(ms))
  }
  for (const ms of [0, 1.5, 0x7fff_ffff]) t.notThrows(() => checkNumbers({ ms }, { ms: TIMEOUT }))
  for (const ms of [0, 1.5, 2 ** 40]) t.notThrows(() => checkNumbers({ ms }, { ms: WAIT }))
  t.notThrows(() => checkNumbers<{ bytes?: number }>({}, { bytes: COUNT }))
})

const remote = { remoteHost: '127.0.0.1', remotePort: 1, clientId: 'a', clientSecret: 'b' }
for (const [option, make] of [
  ['frameBytes', (frameBytes: never) => new Subscriber({ frameBytes })],
  ['answerTimeout', (answerTimeout: never) => new Subscriber({ answerTimeout })],
  ['maxDelay', (maxDelay: never) => new Subscriber({ maxDelay })],
  ['queueBytes', (queueBytes: never) => new Publisher({ queueBytes })],
  ['packetLimit', (packetLimit: never) => new TiAClient('127.0.0.1', 1, { packetLimit })],
  ['contentLimit', (contentLimit: never) => new TiAServer(['127.0.0.1', 0], undefined, { contentLimit })],
  ['maxMessageBytes', (maxMessageBytes: never) => new DataReceiver({ maxMessageBytes })],
  ['maxMessageBytes', (maxMessageBytes: never) => new StreamSeaClient({ ...remote, maxMessageBytes })],
] as const) {
  test(`${make(undefined as never).constructor.name} refuses ${option} that is none, by its name`, (t) => {
    for (const value of [-1, Number.NaN, '7'] as never[]) {
      t.throws(() => make(value), { ...refused, message: new RegExp(`^${option} is a`) }, String(value))
    }
  })
}
