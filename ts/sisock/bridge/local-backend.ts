import type { LossRecord } from '../../session/ledger.js'
import { type FieldsReply, plainReply } from '../data.js'
import type { DataNode } from '../data-node-hub.js'
import { type DataResult, readData } from '../data-reader.js'
import { sisockError } from '../error-codes.js'
import type { TableNode } from '../nodes/table-node.js'
import type { Annotation, BridgeBackend } from './backend.js'

/**
 * Nodes of this process behind a bridge, without router and hub. What they lost is annotated.
 *
 * ```ts
 * const bridge = new GrafanaBridge({ backend: new LocalBackend(await RecordingNode.of('monday')) })
 * await bridge.listen(5000)
 * ```
 */
export class LocalBackend implements BridgeBackend {
  readonly #nodes = new Map<string, TableNode>()

  constructor(nodes: readonly TableNode[]) {
    for (const node of nodes) {
      if (node.name === null || this.#nodes.has(node.name)) {
        throw sisockError('ERR_SISOCK_NAME_INVALID', `two nodes cannot both be named ${node.name}`)
      }
      this.#nodes.set(node.name, node)
    }
  }

  async nodes(): Promise<readonly DataNode[]> {
    return Array.from(this.#nodes, ([name, { description }]) => ({ name, description }))
  }

  async fields(node: string): Promise<FieldsReply> {
    return this.#node(node).getFields(1, 0)
  }

  async data(
    node: string,
    fields: readonly string[],
    start: number,
    end: number,
    minStride: number | null,
  ): Promise<DataResult> {
    const one = this.#node(node)
    // 0 and less count from now: the bridge's times are of 1970 and on.
    const least = Number.MIN_VALUE
    const reply = await one.getData(fields, Math.max(start, least), Math.max(end, least), minStride)
    if (reply === false) {
      throw sisockError('ERR_SISOCK_ALLOWANCE', `${node} gives less than the samples of ${start} to ${end} at once`)
    }
    return readData(plainReply(reply), (await one.getFields(1, 0))[0])
  }

  annotations(from: number, to: number): readonly Annotation[] {
    return lossesBetween([...this.#nodes.values()], from, to)
  }

  span(): Promise<{ from: number; to: number } | undefined> {
    return spanOf([...this.#nodes.values()])
  }

  #node(name: string): TableNode {
    const node = this.#nodes.get(name)
    if (node === undefined) throw sisockError('ERR_SISOCK_NODE_MISSING', `there is no node ${name}`)
    return node
  }
}

/** What nodes lost between two times, ms since 1970, as annotations. */
export function lossesBetween(nodes: readonly TableNode[], from: number, to: number): Annotation[] {
  return nodes.flatMap((node) =>
    Array.from(node.losses(), (loss) => annotation(node.name ?? '', loss)).filter(
      ({ time, timeEnd = time }) => timeEnd >= from && time < to,
    ),
  )
}

function annotation(node: string, { from, to, at, count, bytes, cause, recovered, source }: LossRecord): Annotation {
  const ms = (ns: bigint): number => Number(ns / 1000n) / 1000
  const what = count === null ? (bytes === null ? 'an unknown number' : `${bytes} bytes`) : String(count)
  const came = recovered > 0 ? `, ${recovered} came after all` : ''
  return {
    time: ms(from ?? at),
    ...(to === null ? {} : { timeEnd: ms(to) }),
    title: count === 0 ? 'interrupted, nothing lost' : `lost: ${what}${came}`,
    text: `${source}, by ${cause}`,
    tags: ['loss', cause, node],
  }
}

/** From the first to the last sample of nodes, ms since 1970. */
export async function spanOf(nodes: readonly TableNode[]): Promise<{ from: number; to: number } | undefined> {
  const spans = (await Promise.all(nodes.map((node) => node.span()))).flatMap((span) => span ?? [])
  if (spans.length === 0) return undefined
  return {
    from: Math.min(...spans.map(({ from }) => from)) * 1000,
    to: Math.max(...spans.map(({ to }) => to)) * 1000,
  }
}
