import { OptionValues, type SessionOptions } from '../session/index.js'
import { GrafanaBridge, pageUrl } from './bridge/bridge.js'
import { LocalBackend } from './bridge/local-backend.js'
import { sisockError } from './error-codes.js'
import { type OpenSource, openNodes } from './nodes/open-nodes.js'

/** The options of `measurand serve grafana DIR|URL...`. */
export const serveOptions = {
  port: { value: 'PORT', line: 'of the bridge and its page; 5000 unless told, 0 for a free one' },
  host: { value: 'HOST', line: 'to listen on; 127.0.0.1 unless told' },
  token: { value: 'TOKEN', line: 'what is wanted as Authorization: Bearer; nothing unless told' },
  origin: { value: 'URL', line: 'whose pages may ask; all unless told' },
} as const

/** It serves the places that it is given. */
export const takesPlaces = true

/** Recordings, folders of tables and live sources behind the bridge for Grafana, without a router. */
export async function serve(
  options: ReadonlyMap<string, string | true>,
  session: SessionOptions,
  { places, open }: { readonly places: readonly string[]; readonly open: OpenSource },
) {
  const values = new OptionValues<keyof typeof serveOptions>(options, (text) =>
    sisockError('ERR_SISOCK_OPTION_INVALID', text),
  )
  if (places.length === 0) {
    throw sisockError(
      'ERR_SISOCK_OPTION_INVALID',
      'what is to be served? a recording, a folder of tables, or the URL of a source',
    )
  }
  const [token, origin] = [values.text('token'), values.text('origin')]
  const nodes = await openNodes(places, { decimation: 'extremes' }, open)
  const bridge = new GrafanaBridge({
    ...session,
    backend: new LocalBackend(nodes),
    ...(token === undefined ? {} : { token }),
    ...(origin === undefined ? {} : { origin }),
  })
  const drain = async (): Promise<void> => {
    await bridge.close()
    await Promise.all(nodes.map((node) => node.close()))
  }
  try {
    const host = values.text('host', '127.0.0.1')
    const port = await bridge.listen(values.whole('port', 0, 5000), host)
    return { port, page: pageUrl(host, port), closed: bridge.closed, drain }
  } catch (error) {
    await drain()
    throw error
  }
}
