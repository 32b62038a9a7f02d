import test from 'ava'
import type { TableBatch } from '../../ts/batch/index.js'
import { Delivery } from '../../ts/session/delivery.js'
import type { Policy } from '../../ts/session/source.js'
import { Stats } from '../../ts/session/stats.js'
import { TableIntake } from '../../ts/session/table-intake.js'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const row = (n: number): Record<string, string | bigint> => ({
  stream: 's',
  schema_version: '1',
  rx: BigInt(n),
  payload: `{"n":${n}}`,
})

function make(policy: Policy, queueBytes = 1 << 20, maxRows = 4) {
  const dropped: number[] = []
  const delivery = new Delivery<TableBatch>({
    source: 's',
    policy,
    queueBytes,
    onDrop: ({ rows }) => dropped.push(rows),
  })
  const stats = new Stats()
  const pauses: string[] = []
  const transport = { pause: () => pauses.push('pause'), resume: () => pauses.push('resume') }
  return { delivery, stats, dropped, pauses, intake: new TableIntake('event', { delivery, stats, transport, maxRows }) }
}

test('the rows of one turn come as one batch', async (t) => {
  const { delivery, intake, stats } = make('block')
  const seen: number[] = []
  const done = delivery.consume((batch) => void seen.push(batch.length))
  for (let n = 0; n < 3; n++) t.true(intake.push(row(n)))
  t.deepEqual(seen, [])
  await turn()
  t.deepEqual(seen, [3])
  for (let n = 0; n < 9; n++) intake.push(row(n))
  t.deepEqual(seen, [3, 4, 4])
  intake.finish()
  delivery.end()
  await done
  t.deepEqual(seen, [3, 4, 4, 1])
  t.is(stats.received, 12)
})

test('a full queue pauses the transport until the consumer came', async (t) => {
  const { delivery, intake, pauses } = make('block', 100)
  let n = 0
  while (intake.push(row(n))) n++
  t.deepEqual(pauses, ['pause'])
  await turn()
  await turn()
  t.deepEqual(pauses, ['pause'])
  let rows = 0
  const done = delivery.consume((batch) => {
    rows += batch.length
  })
  await turn()
  t.deepEqual(pauses, ['pause', 'resume'])
  intake.finish()
  delivery.end()
  await done
  t.is(rows, n + 1)
})

test('drop-oldest gives up whole batches and goes on', async (t) => {
  const { delivery, intake, pauses, dropped } = make('drop-oldest', 100)
  for (let n = 0; n < 40; n++) if (!intake.push(row(n))) await turn()
  t.is(pauses.at(-1), 'resume')
  intake.finish()
  delivery.end()
  let rows = 0
  await delivery.consume((batch) => {
    rows += batch.length
  })
  t.is(rows + dropped.reduce((sum, count) => sum + count, 0), 40)
  t.true(rows < 40)
})

test('closing gives back the rows that nobody has taken', (t) => {
  const { delivery, intake } = make('block')
  for (let n = 0; n < 7; n++) intake.push(row(n))
  t.is(delivery.close(), 7)
})
