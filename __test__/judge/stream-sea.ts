import type { Judge } from './main.js'
import { judgeClient } from './stream-sea/client-side.js'
import { judgeServer } from './stream-sea/server-side.js'
import { type Vector, vectors } from './stream-sea/vector.js'

const SIDES: readonly (readonly [side: string, run: (vector: Vector) => Promise<void>])[] = [
  ['our server', judgeServer],
  ['our client', judgeClient],
]

/** Replays each recorded exchange from both sides. */
export const judge: Judge = async function* (folder) {
  for (const vector of vectors(folder)) {
    for (const [side, run] of SIDES) {
      // A client that raised before it sent anything has nothing for a server to answer.
      if (run === judgeServer && vector.events.length === 0) continue
      const what =
        vector.events.length === 0 ? `${side} publishes where the recorded one raised; no exchange to judge` : side
      const name = `stream-sea ${vector.client}-${vector.scenario} (${what})`
      try {
        await run(vector)
        yield { case: name, passed: true }
      } catch (error) {
        yield { case: name, passed: false, detail: (error as Error).message }
      }
    }
  }
}
