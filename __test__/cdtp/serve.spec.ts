import test from 'ava'
import { EndpointSource, MessageType } from '../../ts/cdtp/index.js'
import { serve } from '../../ts/cdtp/serve.js'
import { SimulatedClock } from '../../ts/session/index.js'

async function until(condition: () => boolean) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

for (const waits of [true, false]) {
  test(`the run and its pace begin with the first receiver, ${waits ? 'with' : 'without'} --wait-subscriber`, async (t) => {
    const clock = new SimulatedClock()
    const options = new Map<string, string | true>([
      ['port', '0'],
      ['frames', '3'],
      ['rate', '1'],
    ])
    if (waits) options.set('wait-subscriber', true)
    const served = await serve(options, { clock })
    await clock.advance(3_600_000)
    const source = new EndpointSource('127.0.0.1', served.port, { runs: 1, reconnect: false })
    await source.connect()
    const kinds: number[] = []
    const reading = source.consume((batch) => void kinds.push(batch.kind))
    for (const n of [1, 2, 3]) {
      await until(() => clock.pending > 0)
      await clock.advance(1000)
      await until(() => source.stats.received >= n)
      t.is(source.stats.received, n)
    }
    await reading
    t.deepEqual(kinds, [MessageType.BOR, MessageType.DATA, MessageType.DATA, MessageType.DATA, MessageType.EOR])
    t.is(await served.closed, undefined)
  })
}

test('a second receiver is told', async (t) => {
  const told: string[] = []
  const served = await serve(
    new Map([
      ['port', '0'],
      ['rate', '1000'],
    ]),
    { onStatus: ({ source, state }) => told.push(`${source} ${state}`) },
  )
  const receivers = [1, 2].map(() => new EndpointSource('127.0.0.1', served.port, { reconnect: false }))
  for (const receiver of receivers) await receiver.connect()
  await until(() => told.includes('Synthetic.One second-receiver'))
  const readings = receivers.map((receiver) => receiver.consume(() => {}))
  await served.drain()
  for (const receiver of receivers) await receiver.close()
  await Promise.all(readings)
  t.deepEqual(told.slice(0, 3), [
    'Synthetic.One peer-joined',
    'Synthetic.One peer-joined',
    'Synthetic.One second-receiver',
  ])
})
