/** What this page uses of uPlot, which is loaded before it. */
interface Plot {
  readonly select: { left: number; width: number; height: number }
  readonly bbox: { left: number; top: number; width: number; height: number }
  readonly ctx: CanvasRenderingContext2D
  posToVal(position: number, scale: string): number
  valToPos(value: number, scale: string, isCanvas: boolean): number
  setSelect(select: { left: number; top: number; width: number; height: number }, tell: boolean): void
  destroy(): void
}
interface PlotClass {
  new (options: object, data: readonly (readonly (number | null)[])[], target: Element): Plot
  tzDate(date: Date, zone: string): Date
  readonly paths: { stepped(options: { align: 1 | -1 }): unknown }
}
interface NodeEntry {
  readonly name: string
  readonly description: string | null
}
interface FieldEntry {
  readonly target: string
  readonly name: string
  readonly type: 'number' | 'string' | 'bool'
  readonly units: string | null
  readonly description: string | null
}
interface SeriesEntry {
  readonly target: string
  readonly datapoints: readonly (readonly [number | string | boolean | null, number])[]
  readonly error?: string
}
interface AnnotationEntry {
  readonly time: number
  readonly timeEnd?: number
  readonly title: string
  readonly text: string
  readonly tags: readonly string[]
}

/** The script of the page: it is served as the text of this function, so it uses nothing around it. */
export function page(): void {
  const UPlot = (globalThis as unknown as { uPlot: PlotClass }).uPlot
  const SHOWN_FIRST = 4
  /** px above and below a plot. */
  const [TITLE, AXIS] = [22, 26]
  const COLORS = ['#1a6fb4', '#c2410c', '#15803d', '#7c3aed', '#b91c1c', '#0e7490', '#a16207', '#be185d']
  const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T
  const [list, plots, problem, rows] = [element('list'), element('plots'), element('problem'), element('rows')]
  const [from, to] = [element<HTMLInputElement>('from'), element<HTMLInputElement>('to')]
  const [filter, live] = [element<HTMLInputElement>('filter'), element<HTMLInputElement>('live')]
  const span = element<HTMLSelectElement>('window')
  const token = new URLSearchParams(location.hash.slice(1)).get('token')

  const fields = new Map<string, FieldEntry>()
  let nodes: { node: NodeEntry; fields: FieldEntry[]; error?: string }[] = []
  let shown: string[] = []
  /** ms since 1970. */
  let range = { from: Date.now() - 3_600_000, to: Date.now() }
  let drawn: Plot[] = []
  let turn = 0

  async function ask<T>(path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
    const request = body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) }
    const response = await fetch(path, request)
    const answer = (await response.json()) as T & { error?: string }
    if (!response.ok) throw new Error(answer.error ?? `${response.status}`)
    return answer
  }

  async function start(): Promise<void> {
    const whole = await ask<{ from: number; to: number } | null>('/api/span')
    // Old recordings are shown whole: the last hour would be empty.
    if (whole !== null && whole.to < range.from) span.value = 'all'
    await learn()
    await moved()
  }

  /** Which nodes and fields there are. A node that does not answer is there, and says why. */
  async function learn(): Promise<void> {
    nodes = await Promise.all(
      (await ask<NodeEntry[]>('/api/nodes')).map(async (node) => {
        try {
          return { node, fields: await ask<FieldEntry[]>(`/api/fields?node=${encodeURIComponent(node.name)}`) }
        } catch (error) {
          return { node, fields: [], error: (error as Error).message }
        }
      }),
    )
    fields.clear()
    for (const one of nodes) for (const field of one.fields) fields.set(field.target, field)
    shown = shown.filter((target) => fields.has(target))
    if (shown.length === 0) shown = [...fields.keys()].slice(0, SHOWN_FIRST)
    drawList()
  }

  function drawList(): void {
    const wanted = filter.value.toLowerCase()
    list.replaceChildren(
      ...nodes.map(({ node, fields: known, error }) => {
        const box = document.createElement('details')
        box.open = true
        const head = document.createElement('summary')
        const small = document.createElement('small')
        small.textContent = error ?? node.description ?? ''
        head.append(node.name, ' ', small)
        const found = known.filter(({ target }) => target.toLowerCase().includes(wanted))
        box.append(head, ...found.map(drawField))
        return box
      }),
    )
  }

  function drawField({ target, name, units, description }: FieldEntry): HTMLElement {
    const label = document.createElement('label')
    label.title = description ?? name
    const check = document.createElement('input')
    check.type = 'checkbox'
    check.checked = shown.includes(target)
    check.onchange = () => {
      shown = check.checked ? [...shown, target] : shown.filter((other) => other !== target)
      void load()
    }
    const small = document.createElement('small')
    small.textContent = units ?? ''
    label.append(check, ` ${name} `, small)
    return label
  }

  /** Another window was asked for: the last so many seconds, or everything. */
  async function moved(): Promise<void> {
    if (span.value === 'all') {
      const whole = await ask<{ from: number; to: number } | null>('/api/span')
      if (whole !== null) range = { from: whole.from, to: whole.to + 1 }
    } else if (span.value !== 'own') range = { from: Date.now() - Number(span.value) * 1000, to: Date.now() }
    await load()
  }

  function chosen(next: { from: number; to: number }): void {
    if (!(next.to > next.from)) return
    span.value = 'own'
    live.checked = false
    range = next
    void load()
  }

  async function load(): Promise<void> {
    const mine = ++turn
    from.value = written(range.from)
    to.value = written(range.to)
    const width = Math.max(200, plots.clientWidth - 8)
    const iso = { from: new Date(range.from).toISOString(), to: new Date(range.to).toISOString() }
    try {
      const [series, marks] = await Promise.all([
        ask<SeriesEntry[]>('/query', {
          range: iso,
          maxDataPoints: 2 * width,
          targets: shown.map((target) => ({ target })),
        }),
        ask<AnnotationEntry[]>(`/api/annotations?from=${range.from}&to=${range.to}`),
      ])
      if (mine !== turn) return
      problem.textContent = ''
      document.body.classList.add('connected')
      draw(series, marks, width)
    } catch (error) {
      if (mine !== turn) return
      problem.textContent = (error as Error).message
      document.body.classList.remove('connected')
    }
  }

  function draw(series: readonly SeriesEntry[], marks: readonly AnnotationEntry[], width: number): void {
    for (const plot of drawn) plot.destroy()
    drawn = []
    plots.replaceChildren()
    rows.hidden = marks.length === 0
    rows.replaceChildren(...marks.slice(0, 200).map(drawMark))
    if (series.length === 0) {
      const hint = document.createElement('p')
      hint.id = 'hint'
      hint.textContent = 'Choose fields on the left.'
      plots.append(hint)
    }
    const height = Math.max(90, Math.floor((plots.clientHeight - AXIS - 8) / Math.max(1, series.length)) - TITLE)
    series.forEach((one, index) => {
      const box = document.createElement('div')
      box.className = 'trace'
      plots.append(box)
      drawn.push(plotOf(box, one, marks, { width, height, index, isLast: index === series.length - 1 }))
      if (one.error === undefined && one.datapoints.length > 0) return
      const note = document.createElement('div')
      note.className = one.error === undefined ? 'empty' : 'error'
      note.textContent = one.error ?? 'nothing in this window'
      box.append(note)
    })
  }

  function plotOf(
    box: HTMLElement,
    { target, datapoints }: SeriesEntry,
    marks: readonly AnnotationEntry[],
    { width, height, index, isLast }: { width: number; height: number; index: number; isLast: boolean },
  ): Plot {
    const field = fields.get(target)
    const [node = ''] = target.split('::')
    const own = marks.filter(({ tags }) => tags.includes(node))
    const names: string[] = []
    const steps = field?.type !== 'number'
    const numberOf = (value: number | string | boolean | null): number | null => {
      if (value === null || typeof value === 'number') return value
      if (typeof value === 'boolean') return Number(value)
      if (!names.includes(value)) names.push(value)
      return names.indexOf(value)
    }
    const [x, y] = withGaps(
      datapoints.map(([, time]) => time),
      datapoints.map(([value]) => numberOf(value)),
    )
    const axis = { size: 64, font: '11px system-ui', grid: { stroke: '#e5e7eb' } }
    const texts = (_: Plot, splits: readonly number[]): string[] => splits.map((split) => names[split] ?? '')
    const title = `${target}${field?.units ? ` [${field.units}]` : ''}`
    return new UPlot(
      {
        width,
        height: isLast ? height + AXIS : height,
        padding: [6, 24, isLast ? 0 : 6, 0],
        title,
        ms: 1,
        tzDate: (time: number) => UPlot.tzDate(new Date(time), 'Etc/UTC'),
        cursor: { sync: { key: 'all' }, drag: { x: true, y: false, setScale: false } },
        legend: { show: false },
        scales: { x: { time: true, range: [range.from, range.to] }, ...(steps ? { y: { range: stepRange } } : {}) },
        axes: [
          { ...axis, size: isLast ? AXIS : 0, values: isLast ? hours : () => [], ticks: { show: isLast } },
          { ...axis, space: 18, values: names.length > 0 ? texts : numbers, ...(steps ? { incrs: [1] } : {}) },
        ],
        series: [
          {},
          {
            label: target,
            stroke: COLORS[index % COLORS.length],
            width: 1.25,
            spanGaps: false,
            points: { show: x.length < width / 8, size: 4 },
            ...(steps ? { paths: UPlot.paths.stepped({ align: 1 }) } : {}),
          },
        ],
        hooks: {
          drawClear: [(plot: Plot) => shade(plot, own)],
          setSelect: [
            (plot: Plot) => {
              if (plot.select.width < 4) return
              const [left, right] = [plot.select.left, plot.select.left + plot.select.width]
              chosen({ from: plot.posToVal(left, 'x'), to: plot.posToVal(right, 'x') })
            },
          ],
        },
      },
      [x, y],
      box,
    )
  }

  /** Times as the inputs have them; the date where a day begins. */
  function hours(_: Plot, splits: readonly number[], _axis: number, _space: number, step: number): string[] {
    return splits.map((time) => {
      const text = written(time)
      if (step >= 86_400_000 || time % 86_400_000 === 0) return text.slice(0, 10)
      if (step >= 60_000) return text.slice(11, 16)
      return step >= 1000 ? text.slice(11) : new Date(time).toISOString().slice(17, 23)
    })
  }

  /** Numbers as short as they can be told apart: 9.81G where a step is 10 million. */
  function numbers(_: Plot, splits: readonly number[], _axis: number, _space: number, step: number): string[] {
    const greatest = Math.max(...splits.map(Math.abs))
    const power = 3 * Math.floor(Math.log10(greatest || 1) / 3)
    const isPlain = power >= -3 && power < 6
    const unit = isPlain ? 1 : 10 ** power
    const suffix = isPlain ? '' : ({ 6: 'M', 9: 'G', 12: 'T' }[power] ?? `e${power}`)
    const digits = Math.min(12, Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9)))
    return splits.map((split) => (split === 0 ? '0' : `${(split / unit).toFixed(digits)}${suffix}`))
  }

  const stepRange = (_: Plot, least: number, greatest: number): [number, number] => [least - 0.2, greatest + 0.2]

  /** What happened to the node, and was lost, lies behind its traces, in red. */
  function shade({ ctx, bbox, valToPos }: Plot, marks: readonly AnnotationEntry[]): void {
    for (const { time, timeEnd = time } of marks) {
      const left = Math.max(bbox.left, valToPos(time, 'x', true))
      const right = Math.min(bbox.left + bbox.width, valToPos(timeEnd, 'x', true))
      if (right < bbox.left || left > bbox.left + bbox.width) continue
      ctx.fillStyle = '#dc262633'
      ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height)
    }
  }

  /** Breaks the line where much more than the usual distance has nothing. */
  function withGaps(times: readonly number[], values: readonly (number | null)[]): [number[], (number | null)[]] {
    const steps = times.slice(1).map((time, row) => time - (times[row] as number))
    const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0
    const [x, y]: [number[], (number | null)[]] = [[], []]
    times.forEach((time, row) => {
      if (row > 0 && (steps[row - 1] as number) > 6 * usual && usual > 0) {
        x.push((times[row - 1] as number) + usual)
        y.push(null)
      }
      x.push(time)
      y.push(values[row] ?? null)
    })
    return [x, y]
  }

  function drawMark({ time, timeEnd, title, text }: AnnotationEntry): HTMLElement {
    const line = document.createElement('div')
    const [when, what] = [document.createElement('time'), document.createElement('b')]
    when.textContent = timeEnd === undefined ? written(time) : `${written(time)} to ${written(timeEnd)}`
    what.textContent = title
    line.title = text
    line.append(when, what, text)
    return line
  }

  function written(time: number): string {
    return new Date(time).toISOString().replace('T', ' ').slice(0, 19)
  }

  function typed(): void {
    const [start, end] = [from, to].map(({ value }) => Date.parse(`${value.trim().replace(' ', 'T')}Z`)) as [
      number,
      number,
    ]
    if (Number.isNaN(start) || Number.isNaN(end) || end <= start) problem.textContent = 'a time is 2026-01-31 12:00:00'
    else chosen({ from: start, to: end })
  }

  const shift = (by: number, wider = 0): void => {
    const length = range.to - range.from
    chosen({ from: range.from + length * (by - wider), to: range.to + length * (by + wider) })
  }
  element('earlier').onclick = () => shift(-0.5)
  element('later').onclick = () => shift(0.5)
  element('wider').onclick = () => shift(0, 0.5)
  from.onchange = typed
  to.onchange = typed
  filter.oninput = drawList
  span.onchange = () => void moved()
  live.onchange = () => {
    if (span.value === 'own') span.value = '3600'
    void moved()
  }
  let resizing: ReturnType<typeof setTimeout> | undefined
  window.onresize = () => {
    clearTimeout(resizing)
    resizing = setTimeout(() => void load(), 200)
  }
  setInterval(() => {
    if (!live.checked || document.hidden) return
    void learn().then(moved, (error: Error) => {
      problem.textContent = error.message
    })
  }, 2000)
  start().catch((error: Error) => {
    problem.textContent = error.message
  })
}
