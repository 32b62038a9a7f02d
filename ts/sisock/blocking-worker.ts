import { Worker } from 'node:worker_threads'
import { sisockError } from './error-codes.js'

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: { readonly message: string; readonly code?: string }
}

/** What runs in the thread: text, so that it needs no file of its own beside a bundle. */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const made = import(workerData.module).then(({ default: DataNode }) => new DataNode(workerData.config))
made.catch(() => {})
parentPort.on('message', async ({ id, method, args }) => {
  try {
    const node = await made
    parentPort.postMessage({ id, value: await node[method](...args) })
  } catch (error) {
    parentPort.postMessage({ id, error: { message: String(error?.message ?? error), code: error?.code } })
  }
})
`

/** Runs the blocking methods of a data node class in a thread of its own, so that they block nobody. */
export class BlockingWorker {
  readonly #worker: Worker
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #next = 1

  /**
   * @param module whose default export is the class
   * @param config what the class is made with in the thread
   */
  constructor(module: string | URL, config: object) {
    this.#worker = new Worker(THREAD, { eval: true, workerData: { module: String(module), config } })
    this.#worker.unref()
    this.#worker.on('message', ({ id, value, error }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(value)
      else
        waiting?.reject(Object.assign(new Error(error.message), error.code === undefined ? {} : { code: error.code }))
    })
    this.#worker.on('error', (cause) => this.#failed(cause as Error))
    this.#worker.on('exit', () => this.#failed(new Error('the thread has ended')))
  }

  run(method: 'getFieldsBlocking' | 'getDataBlocking', args: readonly unknown[]): Promise<unknown> {
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#worker.postMessage({ id, method, args })
    })
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #failed(cause: Error): void {
    for (const { reject } of this.#waiting.values()) {
      reject(sisockError('ERR_SISOCK_CALL_FAILED', `the blocking thread failed: ${cause.message}`, { cause }))
    }
    this.#waiting.clear()
  }
}
