/** A field as the page shows it. */
interface FieldRow {
  readonly name: string
  readonly type: string
  readonly enum?: readonly string[]
  readonly fields?: readonly FieldRow[]
}

/** What this page gets of `GET /api/v1/streams`. */
interface StreamRow {
  readonly name: string
  readonly version: string | number | null
  readonly next: number
  readonly start: number
  readonly bytes: number
  readonly fields: readonly FieldRow[]
  readonly groups: readonly { client: string; group: string; committed: number; lag: number; members: number }[]
}

/** The script of the page: it is served as the text of this function, so it uses nothing around it. */
function page(): void {
  const element = (id: string): HTMLElement => document.getElementById(id) as HTMLElement
  const form = element('login') as HTMLFormElement
  const input = (id: string): string => (element(id) as HTMLInputElement).value
  let authorization = ''
  let chosen = ''
  let before = new Map<string, { at: number; next: number }>()

  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`/api/v1/${path}`, { headers: { authorization } })
    if (!response.ok) throw new Error(((await response.json()) as { message: string }).message)
    return response.json()
  }

  const row = (cells: readonly (string | number)[], onclick?: () => void): HTMLElement => {
    const line = document.createElement('tr')
    for (const cell of cells) {
      const place = document.createElement('td')
      place.textContent = String(cell)
      line.append(place)
    }
    if (onclick !== undefined) line.onclick = onclick
    return line
  }

  const shown = ({ name, type, enum: values, fields }: FieldRow): string => {
    const of = values?.join(' | ') ?? fields?.map(shown).join(', ')
    return of === undefined ? `${name}: ${type}` : `${name}: ${type} { ${of} }`
  }

  const show = async (): Promise<void> => {
    const { streams } = (await get('streams')) as { streams: StreamRow[] }
    const now = performance.now()
    const seen = new Map(streams.map(({ name, next }) => [name, { at: now, next }]))
    const rate = ({ name, next }: StreamRow): string => {
      const old = before.get(name)
      return old === undefined ? '' : ((1000 * (next - old.next)) / (now - old.at)).toFixed(1)
    }
    chosen ||= streams[0]?.name ?? ''
    element('streams').replaceChildren(
      ...streams.map((stream) => {
        const { name, version, next, start, bytes } = stream
        const line = row([name, version ?? '', next - start, next, bytes, rate(stream)], () => {
          chosen = name
        })
        line.className = name === chosen ? 'chosen' : ''
        return line
      }),
    )
    before = seen
    const groups = streams.flatMap(({ name, groups }) =>
      groups.map(({ client, group, committed, lag, members }) => {
        const line = row([name, client, group, committed, lag, members])
        line.className = lag > 0 ? 'lagging' : ''
        return line
      }),
    )
    element('groups').replaceChildren(...groups)
    const stream = streams.find(({ name }) => name === chosen)
    if (stream === undefined) return
    element('chosen').textContent = chosen
    element('fields').textContent = stream.fields.map(shown).join('\n')
    const { messages } = (await get(`streams/${encodeURIComponent(chosen)}/last`)) as {
      messages: { offset: number; time: number; text: string }[]
    }
    element('messages').replaceChildren(
      ...messages.reverse().map(({ offset, time, text }) => row([offset, new Date(time).toISOString(), text])),
    )
  }

  const turn = async (): Promise<void> => {
    try {
      await show()
      document.body.className = 'open'
      element('error').textContent = ''
    } catch (error) {
      element('error').textContent = (error as Error).message
    }
    if (authorization !== '') setTimeout(() => void turn(), 1000)
  }

  form.onsubmit = (event) => {
    event.preventDefault()
    const started = authorization !== ''
    authorization = `Basic ${btoa(`${input('client')}:${input('secret')}`)}`
    if (!started) void turn()
  }
}

const SCRIPT = `(() => { const __name = (target) => target; (${page})() })()`

/** The page of the server: its streams, their schemas and rates, groups and their lag, last messages. */
export const PAGE = Buffer.from(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>stream-sea</title><style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2733 }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; margin: 1.5rem 0 .3rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #dde3ea }
th { color: #5b6b7c; font-weight: 500 } td { font-variant-numeric: tabular-nums } #streams tr { cursor: pointer }
.box { overflow: auto; max-height: 24rem } .box th { position: sticky; top: 0; background: #fff; white-space: nowrap } .number { text-align: right }
#streams td:nth-child(n+3), #groups td:nth-child(n+4) { text-align: right }
#streams tr:hover, .chosen { background: #eef3f8 } .chosen td:first-child { font-weight: 600 } .lagging td:nth-child(5) { color: #b45309; font-weight: 600 }
#messages td:last-child { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
#error { color: #b91c1c } #fields { color: #5b6b7c; white-space: pre-wrap } main { display: none } .open main { display: block } .open #login { display: none }
input, button { font: inherit; padding: .2rem .5rem }
@media (max-width: 40rem) { body { margin: 1rem auto; font-size: 12px } th, td { padding-right: .4rem } }
</style></head><body><h1>stream-sea</h1>
<form id="login"><input id="client" placeholder="client" autocomplete="username" aria-label="client">
<input id="secret" type="password" placeholder="secret" autocomplete="current-password" aria-label="secret"> <button>Open</button></form>
<p id="error" role="alert"></p><main>
<h2>Streams</h2><div class="box"><table><thead><tr><th>stream</th><th>version</th><th class="number">messages</th><th class="number">next offset</th><th class="number">bytes</th><th class="number">messages/s</th></tr></thead><tbody id="streams"></tbody></table></div>
<h2>Groups</h2><div class="box"><table><thead><tr><th>stream</th><th>client</th><th>group</th><th class="number">committed</th><th class="number">lag</th><th class="number">members</th></tr></thead><tbody id="groups"></tbody></table></div>
<h2>Last messages of <span id="chosen"></span></h2><p id="fields"></p>
<table><thead><tr><th>offset</th><th>time</th><th>message</th></tr></thead><tbody id="messages"></tbody></table>
</main><script>${SCRIPT}</script></body></html>
`)

/** Nothing of elsewhere is loaded, and nobody frames it. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
} as const
