// The thread in which a data node's blocking methods run.
import { parentPort, workerData } from 'node:worker_threads'
import type { DataNodeServer } from './data-node-server.js'

const { module, config } = workerData as { module: string; config: object }
const port = parentPort
if (port === null) throw new Error('this file is the entry of a worker thread')

const loaded = (await import(module)) as { default: new (config: object) => DataNodeServer }
const node = new loaded.default(config)

port.on(
  'message',
  async ({ id, method, args }: { id: number; method: 'getFieldsBlocking'; args: [number, number] }) => {
    try {
      port.postMessage({ id, value: await node[method](...args) })
    } catch (error) {
      const { message, code } = error as Error & { code?: string }
      port.postMessage({ id, error: { message, code } })
    }
  },
)
