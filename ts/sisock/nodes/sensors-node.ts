import { readdir, readFile } from 'node:fs/promises'
import { cpus, freemem, loadavg, totalmem, uptime } from 'node:os'
import { join } from 'node:path'
import { type Table, type TableField, TableNode, type TableNodeConfig, type TableSamples } from './table-node.js'
import { TimelineBuffer } from './timeline-buffer.js'

/** What a node of the machine's sensors can be told. */
export interface SensorsNodeConfig extends TableNodeConfig {
  /** How often they are read, s; 2.5 unless told, as the Python node does. */
  readonly interval?: number
  /** How long samples are kept, s; 4500 unless told. */
  readonly keep?: number
  /** Where Linux has its sensors; `/sys/class/hwmon` unless told. */
  readonly hwmon?: string
}

interface Sensor {
  readonly name: string
  readonly info: TableField
  read(): number | Promise<number>
}

/**
 * The machine's sensors as a data node: load, memory and uptime everywhere, beside them temperatures, fans, voltages,
 * currents and powers where Linux has them, named `CHIP_FEATURE` as the Python node does.
 *
 * ```ts
 * const node = new SensorsNode({ url: 'ws://127.0.0.1:8080/ws' })
 * await node.connect()
 * ```
 *
 * What is read is final at once: no sample is held back.
 */
export class SensorsNode extends TableNode {
  readonly #settings: SensorsNodeConfig
  #sensors: readonly Sensor[] = []
  #buffer = new TimelineBuffer({})
  #timer: NodeJS.Timeout | undefined

  constructor(config: SensorsNodeConfig = {}) {
    super({ node: 'sensors', description: 'sensors of this machine', ...config })
    this.#settings = config
  }

  /** Begins to read; `connect` does it. */
  async start(): Promise<void> {
    if (this.#timer !== undefined) return
    const { hwmon = '/sys/class/hwmon', interval = 2.5 } = this.#settings
    this.#sensors = [...machine(), ...(await chips(hwmon))]
    this.#buffer = new TimelineBuffer(Object.fromEntries(this.#sensors.map(({ name }) => [name, 'number' as const])))
    this.#timer = setInterval(() => void this.sample(), interval * 1000)
    this.#timer.unref()
    await this.sample()
  }

  /** Reads all sensors once; one that cannot be read is NaN. */
  async sample(): Promise<void> {
    const values = await Promise.all(
      this.#sensors.map(async (sensor) => {
        try {
          return await sensor.read()
        } catch {
          return Number.NaN
        }
      }),
    )
    const now = Date.now() / 1000
    this.#buffer.push(now, values)
    this.#buffer.dropBefore(now - (this.#settings.keep ?? 4500))
  }

  override async connect(): Promise<void> {
    await this.start()
    await super.connect()
  }

  override async close(): Promise<void> {
    clearInterval(this.#timer)
    await super.close()
  }

  protected tables(): readonly Table[] {
    const fields = Object.fromEntries(this.#sensors.map(({ name, info }) => [name, info]))
    return [{ name: 't', interval: this.#settings.interval ?? 2.5, fields, span: this.#buffer.span }]
  }

  protected read(_table: Table, _fields: readonly string[], window: { from: number; to: number }): TableSamples {
    // Nothing comes before the newest sample any more.
    return { ...this.#buffer.window(window), finalizedUntil: Date.now() / 1000 }
  }
}

const number = (units: string, description: string): TableField => ({ description, type: 'number', units })

/** What every machine has. */
function machine(): Sensor[] {
  let last = ticks()
  return [
    { name: 'load', info: number('', 'processes that run or wait, over a minute'), read: () => loadavg()[0] as number },
    {
      name: 'cpu',
      info: number('%', 'of all processors, since the last sample'),
      read: () => {
        const now = ticks()
        const [busy, all] = [now.busy - last.busy, now.all - last.all]
        last = now
        return all > 0 ? (100 * busy) / all : 0
      },
    },
    { name: 'memory_used', info: number('B', 'memory that is taken'), read: () => totalmem() - freemem() },
    { name: 'memory_total', info: number('B', 'memory that there is'), read: totalmem },
    { name: 'uptime', info: number('s', 'since the machine was started'), read: uptime },
  ]
}

function ticks(): { busy: number; all: number } {
  let [idle, all] = [0, 0]
  for (const { times } of cpus()) {
    idle += times.idle
    all += times.user + times.nice + times.sys + times.idle + times.irq
  }
  return { busy: all - idle, all }
}

/** By what the numbers of hwmon are divided, and their units. */
const FEATURES: Readonly<Record<string, readonly [divisor: number, units: string]>> = {
  temp: [1000, 'C'],
  fan: [1, 'rpm'],
  in: [1000, 'V'],
  curr: [1000, 'A'],
  power: [1e6, 'W'],
  humidity: [1000, '%'],
}

/** The sensors that Linux has. */
async function chips(folder: string): Promise<Sensor[]> {
  const found: Sensor[] = []
  for (const chip of await readdir(folder).catch(() => [])) {
    const path = join(folder, chip)
    const name = await text(join(path, 'name')).catch(() => chip)
    for (const file of (await readdir(path).catch(() => [])).sort()) {
      const [, feature = '', index = ''] = /^([a-z]+)(\d+)_input$/.exec(file) ?? []
      const [divisor, units] = FEATURES[feature] ?? []
      if (divisor === undefined || units === undefined) continue
      const label = await text(join(path, `${feature}${index}_label`)).catch(() => '')
      found.push({
        name: `${name}_${feature}${index}`,
        info: number(units, label),
        read: async () => {
          const value = Number(await text(join(path, file)))
          return value / divisor
        },
      })
    }
  }
  return found
}

async function text(path: string): Promise<string> {
  return (await readFile(path, 'utf8')).trim()
}
