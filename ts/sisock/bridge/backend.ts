import type { FieldsReply } from '../data.js'
import type { DataNodeConsumer } from '../data-node-consumer.js'
import type { DataNode } from '../data-node-hub.js'
import type { DataResult } from '../data-reader.js'
import type { TableNode } from '../nodes/table-node.js'
import { lossesBetween, spanOf } from './local-backend.js'

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
  /** From the first to the last sample, ms since 1970, where that is known. */
  span?(): Promise<{ readonly from: number; readonly to: number } | undefined>
}

/** Events that are kept for annotations. */
const KEPT = 10_000

/** The nodes that a consumer sees; that they come and go is annotated. */
export class ConsumerBackend implements BridgeBackend {
  readonly #consumer: DataNodeConsumer
  readonly #local: readonly TableNode[]
  readonly #events: Annotation[] = []

  /** @param local nodes of this process, of which is known what they lost */
  constructor(consumer: DataNodeConsumer, local: readonly TableNode[] = [], now: () => number = Date.now) {
    this.#consumer = consumer
    this.#local = local
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
    const events = this.#events.filter(({ time }) => time >= from && time < to)
    return [...events, ...lossesBetween(this.#local, from, to)]
  }

  span(): Promise<{ from: number; to: number } | undefined> {
    return spanOf(this.#local)
  }
}
