import { stat } from 'node:fs/promises'
import type { Source } from '../../session/source.js'
import { readRecordingFile } from '../../store/recording-file.js'
import { sisockError } from '../error-codes.js'
import { FolderNode } from './folder-node.js'
import { OcsFeedNode } from './ocs-feed-node.js'
import { RecordingNode } from './recording-node.js'
import { SensorsNode } from './sensors-node.js'
import { SourceNode } from './source-node.js'
import type { TableNode, TableNodeConfig } from './table-node.js'

/** Opens the source of a URL: systems do not know one another, so whoever knows them all hands this in. */
export type OpenSource = (url: string) => Promise<Source>

/**
 * The ready-made nodes for places: a recording (a node for each of its sources), a folder of tables, the URL of a live
 * source, `sensors` of this machine, or the feed of an OCS agent, `ocs:TARGET/FEED`.
 */
export async function openNodes(
  places: readonly string[],
  config: TableNodeConfig,
  open: OpenSource,
): Promise<TableNode[]> {
  const nodes: TableNode[] = []
  try {
    for (const place of places) {
      for (const node of await nodesOf(place, config, open)) {
        for (let n = 2; nodes.some(({ name }) => name === node.name); n++) {
          node.name = `${node.name?.replace(/-\d+$/, '')}-${n}`
        }
        nodes.push(node)
      }
    }
    return nodes
  } catch (error) {
    await Promise.all(nodes.map((node) => node.close()))
    throw error
  }
}

async function nodesOf(place: string, config: TableNodeConfig, open: OpenSource): Promise<TableNode[]> {
  if (place === 'sensors') {
    const node = new SensorsNode(config)
    await node.start()
    return [node]
  }
  const [, target, feed] = /^ocs:([^/]+)\/(.+)$/.exec(place) ?? []
  if (target !== undefined && feed !== undefined) return [new OcsFeedNode({ ...config, target, feed })]
  const folder = /^file:/i.test(place) ? place.replace(/^file:(\/\/(?=\/))?/i, '') : place
  if (folder === place && /^[a-z][a-z0-9+.-]*:\/\//i.test(place)) return [new SourceNode(await open(place), config)]
  const isFolder = await stat(folder)
    .then((found) => found.isDirectory())
    .catch(() => false)
  if (!isFolder) throw sisockError('ERR_SISOCK_FILE', `${folder} is no folder; a source is written scheme://host:port`)
  if ((await readRecordingFile(folder)) !== undefined) {
    const nodes = await RecordingNode.of(folder, config)
    if (nodes.length === 0) throw sisockError('ERR_SISOCK_FILE', `the recording ${folder} has no measurements`)
    return nodes
  }
  const node = new FolderNode(folder, config)
  if ((await node.span()) === undefined) throw sisockError('ERR_SISOCK_FILE', `${folder} has no tables with rows`)
  return [node]
}
