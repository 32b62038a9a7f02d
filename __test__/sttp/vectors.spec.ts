import { join } from 'node:path'
import test from 'ava'
import { judge } from '../judge/sttp.js'

const vectors = join(import.meta.dirname, '../vectors/sttp')

for (const [folder, cases] of Object.entries({ tssc: 10, compact: 9, sic: 18, sessions: 10 })) {
  test(`${folder}: what peers wrote is read, and written where that is determined`, async (t) => {
    const verdicts = []
    for await (const verdict of judge(join(vectors, folder))) verdicts.push(verdict)
    t.deepEqual(
      verdicts.filter(({ passed }) => !passed),
      [],
    )
    t.is(verdicts.length, cases)
  })
}
