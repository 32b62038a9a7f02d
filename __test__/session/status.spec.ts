import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import test from 'ava'
import { SimulatedClock } from '../../ts/session/clock.js'
import { StatusStream, statusJson } from '../../ts/session/status.js'

test('listeners, loops and the diagnostics channel hear the same', async (t) => {
  const status = new StatusStream('heard', new SimulatedClock(5n))
  const heard: unknown[] = []
  const published: unknown[] = []
  const take = (message: unknown): void => {
    if ((message as { source: string }).source === 'heard') published.push(message)
  }
  subscribe('measurand:session:status', take)
  const stop = status.on((event) => heard.push(event))
  const looped: unknown[] = []
  const loop = (async () => {
    for await (const event of status) looped.push(event)
  })()
  status.emit('connecting')
  status.emit('connected', { peer: 'h:1' })
  await new Promise(setImmediate)
  status.emit('closed')
  status.end()
  await loop
  stop()
  unsubscribe('measurand:session:status', take)
  status.emit('late')
  const expected = [
    { source: 'heard', state: 'connecting', at: 5n },
    { source: 'heard', state: 'connected', at: 5n, detail: { peer: 'h:1' } },
    { source: 'heard', state: 'closed', at: 5n },
  ]
  t.deepEqual(heard, expected)
  t.deepEqual(looped, expected)
  t.deepEqual(published, expected)
})

test('a loop that is left hears no more and holds nothing', async (t) => {
  const status = new StatusStream('s', new SimulatedClock())
  const events = status[Symbol.asyncIterator]()
  const first = events.next()
  status.emit('connecting')
  t.is((await first).value?.state, 'connecting')
  await events.return()
  status.emit('connected')
  t.true((await events.next()).done)
})

test('a loop that does not keep up misses the oldest', async (t) => {
  const status = new StatusStream('s', new SimulatedClock())
  const events = status[Symbol.asyncIterator]()
  const first = events.next()
  for (let n = 0; n < 2000; n++) status.emit(`e${n}`)
  t.is((await first).value?.state, 'e976')
  status.end()
})

test('an event as a JSON line', (t) => {
  t.deepEqual(statusJson({ source: 's', state: 'closed', at: 7n }), {
    event: 'status',
    source: 's',
    state: 'closed',
    at: '7',
  })
})
