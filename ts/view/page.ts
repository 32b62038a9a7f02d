import type { LookMessage, RowsMessage, SourceMessage, StatsMessage } from './messages.js'

/** What this page uses of uPlot, which is loaded before it. */
interface Plot {
  setData(data: readonly (readonly (number | null)[])[], resetScales: boolean): void
  setScale(scale: string, range: { min: number; max: number }): void
  setSize(size: { width: number; height: number }): void
  destroy(): void
}
type PlotClass = new (options: object, data: readonly (readonly number[])[], target: Element) => Plot

/** The script of the page: it is served as the text of this function, so it uses nothing around it. */
export function page(): void {
  const UPlot = (globalThis as unknown as { uPlot: PlotClass }).uPlot
  const SHOWN_FIRST = 8
  /** What a page may ask for. */
  const MOST = 64
  const COLORS = ['#1a6fb4', '#c2410c', '#15803d', '#7c3aed', '#b91c1c', '#0e7490', '#a16207', '#be185d']
  const element = (id: string): HTMLElement => document.getElementById(id) as HTMLElement
  const [list, plots, counters, title] = [element('list'), element('plots'), element('counters'), element('title')]
  const filter = element('filter') as HTMLInputElement
  const span = element('span') as HTMLSelectElement
  const scale = element('scale') as HTMLSelectElement
  const pause = element('pause') as HTMLButtonElement
  const rows = element('rows')
  const ROWS_SHOWN = 100
  const TITLE = 20
  const AXIS = 26
  /** Below this a trace has its name beside it and no values at its axis. */
  const TIGHT = 56
  const LEAST = 15

  interface Trace {
    readonly id: number
    readonly box: HTMLElement
    readonly plot: Plot
    /** Pixels in order of time, with their least and greatest values. */
    x: number[]
    min: number[]
    max: number[]
  }

  let source: SourceMessage | undefined
  let shown: number[] = []
  let traces = new Map<number, Trace>()
  let bucketMs = 0
  let newest = 0
  let isPaused = false
  let isDirty = false
  /** Whether the user has chosen what is shown. */
  let isChosen = false
  let isSpanChosen = false
  let socket: WebSocket
  let last: { at: number; received: number } | undefined

  const spanMs = (): number => Number(span.value) * 1000
  const width = (): number => Math.max(200, plots.clientWidth - 8)
  const room = (): number => Math.floor((plots.clientHeight - 8 - AXIS) / Math.max(1, shown.length))

  function connect(): void {
    socket = new WebSocket(`ws://${location.host}/stream`)
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => document.body.classList.add('connected')
    socket.onclose = () => {
      document.body.classList.remove('connected')
      setTimeout(connect, 1000)
    }
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data !== 'string') takePixels(data)
      else {
        const message = JSON.parse(data) as SourceMessage | StatsMessage | RowsMessage
        if (message.type === 'source') takeSource(message)
        else if (message.type === 'rows') takeRows(message)
        else takeStats(message)
      }
    }
  }

  function takeSource(message: SourceMessage): void {
    source = message
    title.textContent = `${message.name} (${message.system})`
    document.title = message.name
    const known = new Set(message.signals.map(({ id }) => id))
    shown = shown.filter((id) => known.has(id))
    if (!isChosen) shown = message.signals.slice(0, SHOWN_FIRST).map(({ id }) => id)
    if (!isSpanChosen) span.value = fittingSpan(message)
    drawList()
    look()
  }

  /** A slow source is shown for so long that there is something to see. */
  function fittingSpan({ signals }: SourceMessage): string {
    const rate = Math.max(0, ...signals.map(({ rateHz }) => rateHz ?? 0))
    if (rate === 0 || 10 * rate >= 20) return '10'
    return 60 * rate >= 20 ? '60' : '600'
  }

  function wanted(): SourceMessage['signals'] {
    const text = filter.value.toLowerCase()
    return (source?.signals ?? []).filter(({ name, kind }) => `${kind} ${name}`.toLowerCase().includes(text))
  }

  /** The user chooses what is shown. */
  function choose(ids: number[]): void {
    isChosen = true
    shown = [...new Set(ids)].sort((a, b) => a - b).slice(0, MOST)
    for (const box of list.querySelectorAll('input')) {
      box.checked = shown.includes(Number(box.value))
      box.disabled = !box.checked && shown.length === MOST
    }
    look()
  }

  function drawList(): void {
    list.replaceChildren(
      ...wanted()
        .slice(0, 2000)
        .map(({ id, name, kind, unit, rateHz }) => {
          const label = document.createElement('label')
          const box = document.createElement('input')
          box.type = 'checkbox'
          box.value = String(id)
          box.checked = shown.includes(id)
          box.disabled = !box.checked && shown.length === MOST
          box.onchange = () => choose(box.checked ? [...shown, id] : shown.filter((other) => other !== id))
          const small = document.createElement('small')
          small.textContent = [kind, unit, rateHz === null ? '' : `${rateHz} Hz`].filter(Boolean).join(' ')
          label.append(box, ` ${name || id} `, small)
          label.title = label.textContent ?? ''
          return label
        }),
    )
  }

  /** Asks for what is shown, with one pair of values a pixel. */
  function look(): void {
    bucketMs = spanMs() / width()
    for (const { plot } of traces.values()) plot.destroy()
    plots.replaceChildren()
    traces = new Map(shown.map((id, index) => [id, trace(id, index)]))
    const message: LookMessage = { type: 'look', signals: shown, bucketMs }
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
  }

  function trace(id: number, index: number): Trace {
    const signal = source?.signals.find((known) => known.id === id)
    const color = COLORS[index % COLORS.length] as string
    const box = document.createElement('div')
    const isLast = index === shown.length - 1
    const isTight = room() < TIGHT
    box.className = isTight ? 'trace tight' : 'trace'
    plots.append(box)
    const name = signal?.name || String(id)
    const kind = signal?.kind && !name.includes(signal.kind) ? ` · ${signal.kind}` : ''
    const unit = signal?.unit ? ` [${signal.unit}]` : ''
    if (isTight) {
      const tag = document.createElement('span')
      tag.textContent = name
      tag.title = `${name}${kind}${unit}`
      box.append(tag)
    }
    const line = { stroke: color, width: 1, points: { show: false }, spanGaps: false }
    const axis = { size: 64, font: '11px system-ui', grid: { stroke: '#e5e7eb' } }
    const plot = new UPlot(
      {
        width: width(),
        height: Math.max(LEAST, isTight ? room() : room() - TITLE) + (isLast ? AXIS : 0),
        title: isTight ? '' : `${name}${kind}${unit}`,
        ms: 1,
        cursor: { sync: { key: 'all' } },
        legend: { show: false },
        // The same for all, whether their axis shows or not: traces lie below one another.
        padding: isTight ? [1, 24, 1, axis.size] : [8, 24, 6, 0],
        scales: { x: { time: true, auto: false } },
        axes: [
          { ...axis, size: AXIS, show: isLast },
          { ...axis, space: 18, show: !isTight, values: (_: Plot, ticks: number[]) => numbers(ticks) },
        ],
        series: [{}, { ...line, label: 'min' }, { ...line, label: 'max' }],
        bands: [{ series: [2, 1], fill: `${color}40` }],
      },
      [[], [], []],
      box,
    )
    return { id, box, plot, x: [], min: [], max: [] }
  }

  /** Short enough for the axis: a prefix for all, and as many digits as tell them apart. */
  function numbers(ticks: number[]): string[] {
    const greatest = Math.max(...ticks.map(Math.abs))
    const step = Math.abs((ticks[1] ?? 1) - (ticks[0] ?? 0))
    const thousands = greatest === 0 ? 0 : Math.max(-4, Math.min(6, Math.floor(Math.log10(greatest) / 3 + 1e-9)))
    const shift = thousands === 1 ? 0 : thousands
    const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / 1000 ** shift) - 1e-9)))
    const prefix = ['p', 'n', 'µ', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'][shift + 4]
    const format = { minimumFractionDigits: digits, maximumFractionDigits: digits }
    return ticks.map((tick) => `${(tick / 1000 ** shift).toLocaleString('en', format)}${tick === 0 ? '' : prefix}`)
  }

  function takePixels(bytes: ArrayBuffer): void {
    const view = new DataView(bytes)
    const count = view.getUint32(4, true)
    // Pixels of another width were under way when the page asked anew.
    if (view.getUint32(0, true) !== 1 || view.getFloat64(8, true) !== bucketMs) return
    const columns = new Float64Array(bytes, 16, 3 * count)
    const signals = new Uint32Array(bytes, 16 + 24 * count, count)
    for (let row = 0; row < count; row++) {
      const found = traces.get(signals[row] as number)
      if (found !== undefined) {
        put(found, columns[row] as number, columns[count + row] as number, columns[2 * count + row] as number)
      }
    }
    isDirty = true
  }

  /** Puts a pixel in its place, or widens the one that is there. */
  function put({ x, min, max }: Trace, pixel: number, least: number, greatest: number): void {
    const time = pixel * bucketMs
    let at = x.length
    while (at > 0 && (x[at - 1] as number) > time) at--
    if (at > 0 && x[at - 1] === time) {
      min[at - 1] = Math.min(min[at - 1] as number, least)
      max[at - 1] = Math.max(max[at - 1] as number, greatest)
    } else {
      x.splice(at, 0, time)
      min.splice(at, 0, least)
      max.splice(at, 0, greatest)
    }
    if (time > newest) newest = time
  }

  function draw(): void {
    requestAnimationFrame(draw)
    if (!isDirty || isPaused) return
    isDirty = false
    const from = newest - spanMs()
    let widest = 0
    for (const one of traces.values()) {
      let old = 0
      while (old < one.x.length && (one.x[old] as number) < from) old++
      if (old > 0) for (const column of [one.x, one.min, one.max]) column.splice(0, old)
      const gapped = withGaps(one)
      one.plot.setData(gapped, true)
      one.plot.setScale('x', { min: Math.round(from), max: Math.round(newest) })
      widest = Math.max(widest, heightOf(one))
    }
    if (scale.value === 'own') return
    // As many units a pixel for all, each around its own middle: amplitudes can be compared.
    for (const one of traces.values()) {
      if (one.x.length === 0) continue
      const middle = Math.min(...one.min) + heightOf(one) / 2
      const half = 0.52 * (widest || 1)
      one.plot.setScale('y', { min: middle - half, max: middle + half })
    }
  }

  /** From the least to the greatest value shown. */
  const heightOf = ({ min, max }: Trace): number => (min.length === 0 ? 0 : Math.max(...max) - Math.min(...min))

  /** Breaks the line where several pixels and a sample period have nothing. */
  function withGaps({ id, x, min, max }: Trace): (number | null)[][] {
    const rate = source?.signals.find((signal) => signal.id === id)?.rateHz ?? 0
    const most = Math.max(4 * bucketMs, rate > 0 ? 2000 / rate : spanMs())
    const out: [(number | null)[], (number | null)[], (number | null)[]] = [[], [], []]
    for (let at = 0; at < x.length; at++) {
      if (at > 0 && (x[at] as number) - (x[at - 1] as number) > most) {
        out[0].push((x[at - 1] as number) + bucketMs)
        out[1].push(null)
        out[2].push(null)
      }
      out[0].push(x[at] as number)
      out[1].push(min[at] as number)
      out[2].push(max[at] as number)
    }
    return out
  }

  /** The newest line comes first. */
  function takeRows(message: RowsMessage): void {
    if (isPaused) return
    for (const { time, from, text } of message.rows) {
      const line = document.createElement('div')
      const [when, who] = [document.createElement('time'), document.createElement('b')]
      when.textContent = new Date(time).toISOString().slice(11, 23)
      who.textContent = from
      line.title = text
      line.append(when, who, text)
      rows.prepend(line)
    }
    while (rows.children.length > ROWS_SHOWN) rows.lastChild?.remove()
    if (!rows.hidden) return
    rows.hidden = false
    look()
  }

  function takeStats(stats: StatsMessage): void {
    const now = performance.now()
    const rate = last === undefined ? 0 : ((stats.received - last.received) * 1000) / (now - last.at)
    last = { at: now, received: stats.received }
    const all = stats.received + stats.lost
    const percent = all === 0 ? 0 : (100 * (stats.lost - stats.recovered)) / all
    const number = (value: number): string => Math.round(value).toLocaleString('en')
    const cells: [string, string, string][] = [
      ['state', stats.state, stats.state === 'connected' ? '' : 'warn'],
      ['rows/s', number(rate), ''],
      ['received', number(stats.received), ''],
      [
        'lost',
        `${number(stats.lost)} (${percent.toFixed(percent > 0 && percent < 0.1 ? 4 : 2)} %)`,
        stats.lost > 0 ? 'warn' : '',
      ],
      ['gaps', number(stats.gaps), stats.gaps > 0 ? 'warn' : ''],
      ['dropped', number(stats.dropped), stats.dropped > 0 ? 'warn' : ''],
      ['duplicate', number(stats.duplicate), ''],
      ['reconnects', number(stats.reconnects), ''],
      ...(stats.quirks.length > 0 ? [['quirks', stats.quirks.join(', '), 'warn'] as [string, string, string]] : []),
    ]
    counters.replaceChildren(
      ...cells.map(([name, value, style]) => {
        const cell = document.createElement('span')
        cell.className = style
        const bold = document.createElement('b')
        bold.textContent = value
        cell.append(`${name} `, bold)
        return cell
      }),
    )
  }

  filter.oninput = drawList
  span.onchange = () => {
    isSpanChosen = true
    look()
  }
  scale.onchange = look
  element('all').onclick = () => choose([...shown, ...wanted().map(({ id }) => id)])
  element('none').onclick = () => {
    const hidden = new Set(wanted().map(({ id }) => id))
    choose(shown.filter((id) => !hidden.has(id)))
  }
  pause.onclick = () => {
    isPaused = !isPaused
    pause.textContent = isPaused ? 'go on' : 'pause'
  }
  let resizing: ReturnType<typeof setTimeout> | undefined
  window.onresize = () => {
    clearTimeout(resizing)
    resizing = setTimeout(look, 200)
  }
  connect()
  draw()
}
