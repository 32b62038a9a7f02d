import test from 'ava'
import { ReplayedPeer, SimulatedClock } from '../../ts/session/index.js'

/** Whether a promise has resolved by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  await new Promise((resolve) => setImmediate(resolve))
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending
}

function peerOf(): { clock: SimulatedClock; peer: ReplayedPeer; abort: AbortController } {
  const [clock, abort] = [new SimulatedClock(), new AbortController()]
  return { clock, abort, peer: new ReplayedPeer(abort.signal, clock) }
}

test('an answer waits until as much was said as had been, in however many words', async (t) => {
  const { clock, peer } = peerOf()
  peer.expect(10)
  const answer = peer.caughtUp()
  peer.says(4)
  await clock.advance(900)
  peer.says(4)
  await clock.advance(900)
  t.false(await isSettled(answer))
  peer.says(2)
  t.true(await isSettled(answer))
  t.true(await isSettled(peer.caughtUp()), 'nothing more is expected')
  t.is(clock.pending, 0)
})

test('who says the same in fewer words is answered after a second of silence, and is not waited for again', async (t) => {
  const { clock, peer } = peerOf()
  peer.expect(10)
  peer.says(8)
  const answer = peer.caughtUp()
  await clock.advance(999)
  t.false(await isSettled(answer))
  await clock.advance(2)
  t.true(await isSettled(answer))
  peer.expect(5)
  const next = peer.caughtUp()
  t.false(await isSettled(next))
  peer.says(5)
  t.true(await isSettled(next))
})

test('who hangs up is answered at once, who stays is left after five seconds', async (t) => {
  const { clock, peer } = peerOf()
  peer.expect(1)
  const [answer, end] = [peer.caughtUp(), peer.left()]
  peer.leaves()
  t.true((await isSettled(answer)) && (await isSettled(end)))
  const stays = peerOf()
  const left = stays.peer.left()
  await stays.clock.advance(4999)
  t.false(await isSettled(left))
  await stays.clock.advance(1)
  t.true(await isSettled(left))
  t.is(clock.pending, 0)
})

test('an aborted replay waits no more', async (t) => {
  const { peer, abort, clock } = peerOf()
  peer.expect(1)
  const answer = t.throwsAsync(peer.caughtUp(), { code: 'ERR_SESSION_ABORTED' })
  abort.abort()
  await answer
  await t.throwsAsync(peer.caughtUp(), { code: 'ERR_SESSION_ABORTED' })
  await peer.left()
  t.is(clock.pending, 0)
})
