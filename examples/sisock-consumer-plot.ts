// A consumer that plots a window of a data node: node --import tsx examples/sisock-consumer-plot.ts plot.svg
// It brings a router and a synthetic node of its own; with SISOCK_URL, SISOCK_NODE and WAMP_SECRET it asks yours.
import { writeFile } from 'node:fs/promises'
import { DataNodeConsumer, DataNodeHub, SyntheticNode, WampRouter } from '../ts/sisock/index.js'

const {
  SISOCK_URL,
  SISOCK_NODE = 'synthetic',
  WAMP_USER = 'server',
  WAMP_SECRET: secret = 'only-for-this-example',
} = process.env
const closing: { close(): Promise<unknown> }[] = []
let url = SISOCK_URL
if (url === undefined) {
  const router = new WampRouter({ users: { [WAMP_USER]: { secret, role: 'server' } } })
  url = `ws://127.0.0.1:${await router.listen(0)}/ws`
  const hub = new DataNodeHub({ url, user: WAMP_USER, secret })
  await hub.connect()
  const node = new SyntheticNode({ url, user: WAMP_USER, secret, signals: 3, rate: 10 })
  await node.connect()
  closing.push(node, hub, router)
}
const consumer = new DataNodeConsumer({ url, user: WAMP_USER, secret })
closing.unshift(consumer)
await consumer.connect()

const [width, height] = [900, 160]
const [known] = await consumer.getFields(SISOCK_NODE)
const names = Object.keys(known).slice(0, 6)
const { data, timeline } = await consumer.getData(SISOCK_NODE, names, -600, 0, { minStride: 600 / width })
const plots = names.map((name, index) => {
  const t = timeline[known[name]?.timeline ?? '']?.t ?? new Float64Array(0)
  const values = Float64Array.from(data[name] ?? [], Number)
  const [least, greatest] = [Math.min(...values), Math.max(...values)]
  const [from, to] = [t[0] ?? 0, t.at(-1) ?? 1]
  const x = (row: number): number => (width * ((t[row] as number) - from)) / (to - from || 1)
  const y = (value: number): number => height - 20 - ((height - 40) * (value - least)) / (greatest - least || 1)
  const points = Array.from(values, (value, row) => `${x(row).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
  const title = `${SISOCK_NODE}/${name}: ${values.length} samples, ${least} to ${greatest}`
  return `<g transform="translate(10 ${10 + index * height})"><text y="12">${title}</text><polyline points="${points}"/></g>`
})
const size = `width="${width + 20}" height="${height * names.length + 20}"`
const style = 'polyline{fill:none;stroke:#1a6fb4}text{font:12px system-ui}'
const path = process.argv[2] ?? 'plot.svg'
await writeFile(
  path,
  `<svg xmlns="http://www.w3.org/2000/svg" ${size}><style>${style}</style>${plots.join('')}</svg>\n`,
)
console.log(`${names.length} plots in ${path}`)
for (const one of closing) await one.close()
