import test from 'ava'
import { SessionPair } from './session-pair.js'

test('user commands go to the publisher and its responses to the subscriber, 00 to 15, whatever they carry', async (t) => {
  const pair = new SessionPair(t)
  const { publisher, subscriber } = pair
  publisher.userCommandReceived = (connection, number, payload) => {
    publisher.sendUserResponse(connection, number, Buffer.concat([Buffer.from('re:'), payload]))
  }
  const responses: [number, string, number][] = []
  subscriber.userResponseReceived = (number, payload, command) =>
    responses.push([number, Buffer.from(payload).toString('latin1'), command])
  await pair.connect()
  for (let number = 0; number < 16; number++) subscriber.sendUserCommand(number, Buffer.from([number, 0xff]))
  subscriber.sendUserCommand(3)
  await pair.turns()
  t.deepEqual(responses, [
    ...Array.from({ length: 16 }, (_, number) => [number, `re:${String.fromCharCode(number)}\xff`, 0xd0 + number]),
    [3, 're:', 0xd3],
  ] as typeof responses)
  publisher.broadcastUserResponse(7, Buffer.from('all'))
  await pair.turns()
  t.deepEqual(responses.at(-1), [7, 'all', 0xd7])
  t.throws(() => subscriber.sendUserCommand(16), { code: 'ERR_STTP_USER_CODE' })
  t.throws(() => publisher.broadcastUserResponse(-1), { code: 'ERR_STTP_USER_CODE' })
})

test('a command without a connection is a typed error', (t) => {
  const { subscriber } = new SessionPair(t)
  t.throws(() => subscriber.sendUserCommand(0), { code: 'ERR_STTP_SUBSCRIBER_DISCONNECTED' })
})

test('notifications are confirmed, by each subscriber', async (t) => {
  const pair = new SessionPair(t)
  const { publisher, subscriber } = pair
  const texts: string[] = []
  subscriber.notificationReceived = (text) => texts.push(text)
  await pair.connect()
  t.is(await publisher.notify('maintenance at 12:00 – Übung'), 1)
  t.is(await publisher.notify('to nobody', []), 0)
  t.deepEqual(texts, ['maintenance at 12:00 – Übung'])
})

test('a notification that is not confirmed when the connection ends is not counted', async (t) => {
  const pair = new SessionPair(t, {}, { autoReconnect: false })
  const { publisher, network } = pair
  await pair.connect()
  const confirmed = publisher.notify('too late')
  network.cut()
  t.is(await confirmed, 0)
})

test('keys of a channel that is not encrypted are not changed, and the speed of what is live neither', async (t) => {
  const pair = new SessionPair(t)
  await pair.connect()
  await t.throwsAsync(pair.subscriber.rotateCipherKeys(), { code: 'ERR_STTP_KEYS_REFUSED' })
})

test('unsubscribed, nothing comes, and the connection stays', async (t) => {
  const pair = new SessionPair(t)
  const { publisher, subscriber } = pair
  await pair.connect()
  t.true(subscriber.subscribed)
  t.is(subscriber.subscriberId, publisher.subscribers[0]?.subscriberId)
  subscriber.unsubscribe()
  await pair.turns()
  t.false(subscriber.subscribed)
  t.false(publisher.subscribers[0]?.isSubscribed)
  t.is(subscriber.state, 'connected')
})
