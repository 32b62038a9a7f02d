import { join } from 'node:path'
import test from 'ava'
import { judgeClient } from '../judge/stream-sea/client-side.js'
import { judgeServer } from '../judge/stream-sea/server-side.js'
import { vectors } from '../judge/stream-sea/vector.js'

for (const vector of vectors(join(import.meta.dirname, '..', 'vectors', 'stream-sea'))) {
  // A client that raised before it sent anything has nothing for a server to answer.
  if (vector.events.length > 0) {
    test(`our server answers ${vector.client}-${vector.scenario} as recorded`, async (t) => {
      await t.notThrowsAsync(judgeServer(vector))
    })
  }
  test(`our client does what ${vector.client}-${vector.scenario} recorded`, async (t) => {
    await t.notThrowsAsync(judgeClient(vector))
  })
}
