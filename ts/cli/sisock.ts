import { SourceUrl } from '../ingest/index.js'
import { DataNodeConsumer } from '../sisock/data-node-consumer.js'
import { joinConfig, joinOptions, sourceOptions } from '../sisock/source.js'
import { type Call, type Command, EXIT } from './command.js'
import { cliError } from './error-codes.js'

export const command: Command = {
  usage: 'nodes|fields|get sisock://USER@host:port[/NODE[/FIELD[,FIELD]]]',
  line: 'asks the hub and the data nodes of sisock',
  options: { ...joinOptions, since: sourceOptions.since, until: sourceOptions.until, stride: sourceOptions.stride },
  async run(call) {
    const [what, text] = call.args
    const ask = ASK[what ?? '']
    if (ask === undefined || text === undefined) {
      throw cliError('ERR_CLI_ARGUMENT_MISSING', 'sisock nodes|fields|get sisock://USER@host:port/NODE')
    }
    const url = new SourceUrl(
      text,
      [...call.options].flatMap(([name, value]) =>
        name === 'json' ? [] : [[name, value === true ? '1' : value] as const],
      ),
    )
    const consumer = new DataNodeConsumer({ ...(await joinConfig(url)), signal: call.signal })
    try {
      await consumer.connect()
      await ask(call, consumer, url)
      await call.out.flush()
      return EXIT.done
    } finally {
      await consumer.close()
    }
  },
}

type Ask = (call: Call, consumer: DataNodeConsumer, url: SourceUrl) => Promise<void>

const ASK: Readonly<Record<string, Ask | undefined>> = {
  async nodes(call, consumer) {
    for (const node of consumer.nodes) {
      if (call.json) await call.out.json({ event: 'node', ...node })
      else await call.out.line(`${node.name}\t${node.description ?? ''}`)
    }
  },
  async fields(call, consumer, url) {
    const [fields, timelines] = await consumer.getFields(nodeOf(url))
    for (const [name, info] of Object.entries(fields)) {
      const interval = timelines[info.timeline]?.interval ?? null
      if (call.json) await call.out.json({ event: 'field', name, ...info, interval })
      else
        await call.out.line(
          [name, info.type, info.units ?? '', info.timeline, interval ?? '', info.description ?? ''].join('\t'),
        )
    }
  },
  async get(call, consumer, url) {
    const node = nodeOf(url)
    const [known] = await consumer.getFields(node)
    const fields = url.path.split('/')[1]?.split(',') ?? Object.keys(known)
    const minStride = url.number('stride')
    const { data, timeline } = await consumer.getData(
      node,
      fields,
      url.number('since') ?? -3600,
      url.number('until') ?? 0,
      {
        chunk: 3600,
        ...(minStride === undefined ? {} : { minStride }),
      },
    )
    for (const name of fields) {
      const times = timeline[known[name]?.timeline ?? '']?.t ?? []
      const values = data[name] ?? []
      for (let row = 0; row < values.length; row++) {
        const [time, value] = [times[row], values[row]]
        if (call.json)
          await call.out.json({ event: 'sample', field: name, time, value: Number.isNaN(value) ? 'NaN' : value })
        else await call.out.line(`${name}\t${time}\t${String(value)}`)
      }
    }
  },
}

function nodeOf(url: SourceUrl): string {
  const [node = ''] = url.path.split('/')
  if (node === '') throw cliError('ERR_CLI_ARGUMENT_MISSING', 'which node? sisock://USER@host:port/NODE')
  return node
}
