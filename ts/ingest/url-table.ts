import type { CaptureItem, Network, Source, SourceDescription, SourceOptions } from '../session/index.js'
import { ingestError } from './error-codes.js'
import type { OptionTable } from './option-table.js'
import { SelectedSource } from './selected-source.js'
import { SELECTION_OPTIONS, selectionOf } from './selection.js'
import { SourceUrl } from './url.js'

/** What `source.ts` of a system exports. */
export interface SourceModule {
  /** The options that its URLs have beside the host, the port and the path. */
  readonly sourceOptions: OptionTable
  /** The URLs behind one that stands for several sources. */
  expand?(url: SourceUrl): Promise<readonly SourceUrl[]>
  /** Says what a source offers, where connecting to it would take something away. */
  describeSource?(url: SourceUrl, network: Network): Promise<SourceDescription>
  /**
   * Gives what blanks secrets in the items of one capture, in their order; only a system whose bytes can be captured has
   * it.
   */
  redactor?(): (item: CaptureItem) => CaptureItem
  /** Makes the source and connects it. */
  openSource(url: SourceUrl, options: SourceOptions): Promise<Source>
}

/** Schemes and the systems behind them: a system adds its line. Nothing is loaded before it is asked for. */
const SYSTEMS: Readonly<Record<string, () => Promise<SourceModule>>> = {
  cdtp: () => import('../cdtp/source.js'),
  file: () => import('./file-source.js'),
  streamsea: () => import('../stream-sea/source.js'),
  sisock: () => import('../sisock/source.js'),
  sttp: () => import('../sttp/source.js'),
  tia: () => import('../tia/source.js'),
}

/** The schemes that there are. */
export const SCHEMES: readonly string[] = Object.keys(SYSTEMS)

/** Loads the system of a scheme; its sources can be selected from, by its own options or by those of every source. */
export async function loadSystem(scheme: string): Promise<SourceModule> {
  const load = Object.hasOwn(SYSTEMS, scheme) ? SYSTEMS[scheme] : undefined
  if (load === undefined) {
    throw ingestError('ERR_INGEST_URL_SCHEME', `no system has the scheme ${scheme}; there are ${SCHEMES.join(', ')}`)
  }
  const system = await load()
  return {
    ...system,
    sourceOptions: { ...SELECTION_OPTIONS, ...system.sourceOptions },
    async openSource(url, options) {
      const selection = selectionOf(url, system.sourceOptions)
      const source = await system.openSource(url, options)
      return selection === undefined ? source : new SelectedSource(source, selection)
    },
  }
}

/** The URLs of the sources that a URL stands for: itself, or those of a recording. */
export async function expandUrl(url: SourceUrl): Promise<readonly SourceUrl[]> {
  const system = await loadSystem(url.scheme)
  url.check(system.sourceOptions)
  return (await system.expand?.(url)) ?? [url]
}

/** Opens the source of a URL: connected, and named after the URL unless told otherwise. */
export async function openSource(url: SourceUrl | string, options: SourceOptions = {}): Promise<Source> {
  const parsed = typeof url === 'string' ? new SourceUrl(url) : url
  const system = await loadSystem(parsed.scheme)
  parsed.check(system.sourceOptions)
  return system.openSource(parsed, { name: parsed.name, ...options })
}
