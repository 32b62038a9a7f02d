import type { FieldsReply } from '../data.js'
import type { DataNodeConsumer } from '../data-node-consumer.js'
import type { DataNode } from '../data-node-hub.js'
import type { DataResult } from '../data-reader.js'

/** Something to mark in a plot. */
export interface Annotation {
  /** ms since 1970. */
  readonly time: number
  /** ms since 1970, of what lasted. */
  readonly timeEnd?: number
  readonly title: string
  readonly text: string
  readonly tags: readonly string[]
}

/** What a bridge asks: the nodes of a hub, or anything that looks like them. */
export interface BridgeBackend {
  nodes(): Promise<readonly DataNode[]>
  fields(node: string): Promise<FieldsReply>
  /** Times are seconds since 1970. */
  data(
    node: string,
    fields: readonly string[],
    start: number,
    end: number,
    minStride: number | null,
  ): Promise<DataResult>
  /** What happened between two times, ms since 1970. */
  annotations(from: number, to: number): readonly Annotation[] | Promise<readonly Annotation[]>
}

/** Events that are kept for annotations. */
const KEPT = 10_000

/** The nodes that a consumer sees; that they come and go is annotated. */
export class ConsumerBackend implements BridgeBackend {
  readonly #consumer: DataNodeConsumer
  readonly #events: Annotation[] = []

  constructor(consumer: DataNodeConsumer, now: () => number = Date.now) {
    this.#consumer = consumer
    consumer.watch(({ kind, node }) => {
      const what = kind === 'added' ? 'came' : 'went'
      this.#events.push({
        time: now(),
        title: `${node.name} ${what}`,
        text: node.description ?? '',
        tags: [kind, node.name],
      })
      if (this.#events.length > KEPT) this.#events.shift()
    })
  }

  async nodes(): Promise<readonly DataNode[]> {
    return this.#consumer.nodes
  }

  fields(node: string): Promise<FieldsReply> {
    return this.#consumer.getFields(node)
  }

  data(
    node: string,
    fields: readonly string[],
    start: number,
    end: number,
    minStride: number | null,
  ): Promise<DataResult> {
    return this.#consumer.getData(node, fields, start, end, { minStride })
  }

  annotations(from: number, to: number): readonly Annotation[] {
    return this.#events.filter(({ time }) => time >= from && time < to)
  }
}
