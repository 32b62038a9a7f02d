import type { WampClient } from '../../ts/sisock/wamp-client.js'

const BASE = 'org.simonsobservatory.consumer.'
const E0 = 1_700_000_000

interface Reply {
  readonly data: Record<string, ArrayLike<unknown>>
  readonly timeline: Record<string, { readonly t: ArrayLike<number>; readonly finalized_until: number | null }>
}

const close = (left: ArrayLike<unknown> | undefined, right: readonly number[]) =>
  left?.length === right.length && right.every((value, index) => Math.abs((left[index] as number) - value) < 1e-6)
const same = (left: unknown, right: unknown) => JSON.stringify(left) === JSON.stringify(right)
const list = (values: ArrayLike<unknown> | undefined) => Array.from(values ?? [])
const sorted = (value: object) => Object.keys(value).sort()

/** The 25 checks of `consumer.py`, call by call, without any help of the consumer class; gives those that failed. */
export async function formulaChecks(client: WampClient, node = 'formula'): Promise<{ seen: number; failed: string[] }> {
  const failed: string[] = []
  let seen = 0
  const check = (isTrue: boolean | undefined, what: string) => {
    seen++
    if (isTrue !== true) failed.push(what)
  }
  const fields = (...args: number[]) => client.call(`${BASE}${node}.get_fields`, args) as Promise<[object, object]>
  const data = (args: unknown[], kwargs?: Record<string, unknown>) =>
    client.call(`${BASE}${node}.get_data`, args, kwargs) as Promise<Reply>
  const error = async (promise: Promise<unknown>) => {
    try {
      await promise
      return undefined
    } catch (reason) {
      return (reason as { cause?: { error?: string } }).cause?.error
    }
  }

  const nodes = (await client.call(`${BASE}get_data_node`)) as { name: string }[]
  check(nodes.filter(({ name }) => name === node).length === 1, 'hub lists the node exactly once')
  check(
    nodes.every((one) => same(sorted(one), ['description', 'name'])),
    'listing has name+description only',
  )
  const pair = (await fields(1, 0)) as unknown as [
    Record<string, { type: string; units: string | null; timeline: string }>,
    Record<string, { interval: number; field: string[] }>,
  ]
  check(Array.isArray(pair) && pair.length === 2, 'get_fields is a pair')
  const [f, tl] = pair
  check(same(sorted(f), ['count', 'even', 'label', 'ramp', 'sine']), 'field names')
  const types = { ramp: 'number', sine: 'number', count: 'number', even: 'bool', label: 'string' }
  check(
    Object.entries(types).every(([name, type]) => f[name]?.type === type),
    'types',
  )
  check(f['ramp']?.units === 's' && f['count']?.units === null && f['label']?.timeline === 'slow', 'units/timeline')
  check(
    tl['fast']?.interval === 0.1 && tl['slow']?.interval === 60 && same([...tl['fast'].field].sort(), ['ramp', 'sine']),
    'timelines',
  )
  check(same(await fields(1000, 2000), [{}, {}]), 'get_fields outside the data window is empty')
  check(same(await fields(-1, 0), [{}, {}]), 'relative times, now is outside the window')

  let d = await data([['ramp', 'sine'], E0 + 100, E0 + 110])
  const t = Array.from({ length: 100 }, (_, i) => E0 + 100 + i / 10)
  check(close(d.timeline['fast']?.t, t), 'half-open interval, 100 samples at 10 Hz')
  check(
    close(
      d.data['ramp'],
      t.map((x) => x % 1000),
    ),
    'ramp values',
  )
  check(
    close(
      d.data['sine'],
      t.map((x) => Math.sin((2 * Math.PI * (x % 60)) / 60)),
    ),
    'sine values',
  )
  check(
    d.timeline['fast']?.finalized_until === null && same(sorted(d.timeline), ['fast']),
    'finalized, only the used timeline',
  )

  d = await data([['ramp', 'count', 'even', 'label'], E0, E0 + 600], { min_stride: 30.0 })
  const tf = list(d.timeline['fast']?.t) as number[]
  check(
    tf.length === 20 && tf.every((x, i) => i === 0 || Math.abs(x - (tf[i - 1] as number) - 30) < 1e-6),
    'min_stride downsamples the fast timeline',
  )
  const ks = Array.from({ length: 10 }, (_, i) => Math.ceil(E0 / 60) + i)
  check(
    same(
      list(d.timeline['slow']?.t),
      ks.map((k) => 60 * k),
    ),
    'min_stride below the interval leaves the slow timeline alone',
  )
  check(
    same(
      list(d.data['count']),
      ks.map((k) => k % 65_536),
    ),
    'count',
  )
  check(
    same(
      list(d.data['even']),
      ks.map((k) => k % 2 === 0),
    ),
    'bool',
  )
  check(
    same(
      list(d.data['label']),
      ks.map((k) => `m${k % 60}`),
    ),
    'string',
  )
  const positional = await data([['ramp'], E0, E0 + 600, 30.0])
  check(same(list(positional.timeline['fast']?.t), tf), 'min_stride as 4th positional argument')

  d = await data([['nope', 'ramp'], E0 + 86_399, E0 + 90_000])
  check(d.data['nope']?.length === 0 && d.data['ramp']?.length === 10, 'unknown field -> empty array; end clipped')
  check(d.timeline['fast']?.finalized_until === 1_700_080_000, 'finalized_until when reaching beyond')
  check(same(await data([['ramp'], 1, 2]), { data: { ramp: [] }, timeline: {} }), 'no data -> empty array, no timeline')
  check(same(await data([[], E0, E0 + 1]), { data: {}, timeline: {} }), 'no fields asked')
  check(
    (await error(client.call(`${BASE}no_such_node.get_data`, [['x'], 1, 2]))) === 'wamp.error.no_such_procedure',
    'missing node error uri',
  )
  check(
    (await error(client.call('org.simonsobservatory.data_node.add', ['intruder', '', 1]))) ===
      'wamp.error.not_authorized',
    'not_authorized for consumer role',
  )
  return { seen, failed }
}
