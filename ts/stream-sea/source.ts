import type { SourceOptions } from '../session/index.js'
import { StreamSeaClient } from './client.js'
import { checkedName, isUuid } from './names.js'
import { placeOptions, remoteOf, type StreamSeaPlace } from './place.js'
import { describeStream } from './requests.js'

export { redactor } from './redactor.js'

import type { SubscribeOptions, Subscription } from './subscription.js'

/** The options of a `streamsea://` URL. */
export const sourceOptions = {
  ...placeOptions,
  group: { value: 'UUID|NAME', line: 'shares the messages with this group; a name only with our server' },
  from: { value: 'start|OFFSET', line: 'where to begin, with our server' },
  'time-field': {
    value: 'PATH',
    line: 'the field that says when a message was, a date or ns; else when it was stored, or came',
  },
  offsets: { line: 'messages with offset and time, so that a broken connection loses nothing; with our server' },
} as const

/** Opens `streamsea://ID@host:port/STREAM`: every message of the stream, or a group's share. */
export async function openSource(place: StreamSeaPlace, options: SourceOptions): Promise<Subscription> {
  const remote = await remoteOf(place)
  const stream = checkedName('stream', place.path)
  const { wait, reconnect, signal, clock, network, policy, queueBytes, name } = options
  const given = { wait, reconnect, signal, clock, network }
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const timeField = place.option('time-field')
  const client = new StreamSeaClient({ ...remote, ...known })
  await client.connect()
  try {
    const schema = await describeStream({ ...remote, stream, observe: network?.observe?.() })
    const subscription = await client.subscribe({
      stream,
      ...groupOf(place),
      ...fromOf(place),
      ...(schema === null ? {} : { schema }),
      ...(timeField === undefined ? {} : { timeField }),
      ...(policy === undefined ? {} : { policy }),
      ...(queueBytes === undefined ? {} : { queueBytes }),
      ...(name === undefined ? {} : { name }),
    })
    const { onStatus } = options
    // The name that ledger and recording have.
    if (onStatus !== undefined) client.status.on((status) => onStatus({ ...status, source: subscription.name }))
    void subscription.closed.then(() => client.close())
    return subscription as Subscription
  } catch (error) {
    await client.close()
    throw error
  }
}

function groupOf(place: StreamSeaPlace): Partial<SubscribeOptions> {
  const group = place.option('group')
  if (group === undefined) return { fanout: true }
  return isUuid(group) ? { groupId: group } : { group: checkedName('group', group) }
}

function fromOf(place: StreamSeaPlace): Partial<SubscribeOptions> {
  const from = place.option('from')
  const offsets = place.flag('offsets') || from !== undefined
  if (from === undefined) return offsets ? { offsets } : {}
  return { offsets, from: from === 'start' ? 'start' : { offset: Number(from) } }
}
