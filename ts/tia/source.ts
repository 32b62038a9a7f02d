import type { CaptureItem, Source, SourceOptions } from '../session/index.js'
import { TiAClient } from './client.js'
import { tiaError } from './error-codes.js'
import type { SignalChoice } from './meta-info.js'

/** The options of `tia://host:port`. */
export const sourceOptions = {
  transport: { value: 'tcp|udp', line: 'how the data come; tcp unless told' },
  channels: {
    value: 'CHOICE',
    line: 'some channels, counted from 1, fewer samples: eeg/1,2,3 or eeg/1,2,3@4 (every 4th)',
  },
  'sample-order': {
    value: 'channel|sample',
    line: 'how blocks lie on the wire: sample for eegdev; channel unless told',
  },
  unit: { value: 'us|10us|auto', line: 'unit of header times: 10us for libtia; us unless told' },
  anchor: { value: 'NS', line: "UTC time of the server's start, ns since 1970; estimated unless told" },
  subject: { value: 'CODE', line: 'stands for the subject in files' },
  'no-subject': { line: 'leaves the subject out of files' },
  state: { line: "watches the server's state: its shutdown ends the session" },
} as const

/** What is read of a URL. */
interface Place {
  readonly host: string
  readonly port: number | undefined
  option(name: string): string | undefined
  flag(name: string, otherwise?: boolean): boolean
  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined
}

/** Nothing on this wire authenticates. */
export const redactor = (): ((item: CaptureItem) => CaptureItem) => (item) => item

/** Connects to a server and starts its stream. */
export async function openSource(url: Place, options: SourceOptions): Promise<Source> {
  const subject = url.flag('no-subject') ? false : url.option('subject')
  const anchor = url.option('anchor')
  const sampleOrder = url.choice('sample-order', ['channel', 'sample'])
  const timestampUnit = url.choice('unit', ['us', '10us', 'auto'])
  if (anchor !== undefined && !/^-?\d+$/.test(anchor)) {
    throw tiaError('ERR_TIA_OPTION_INVALID', `anchor takes ns since 1970, not ${anchor}`)
  }
  const client = new TiAClient(url.host, url.port ?? 9000, {
    ...options,
    ...(subject === undefined ? {} : { subject }),
    ...(anchor === undefined ? {} : { anchor: BigInt(anchor) }),
    ...(sampleOrder === undefined ? {} : { sampleOrder }),
    ...(timestampUnit === undefined ? {} : { timestampUnit }),
  })
  const choice = url.option('channels')
  try {
    await client.connect()
    if (url.flag('state')) await client.watchServerState()
    await client.startStreaming({
      transport: url.choice('transport', ['tcp', 'udp']) ?? 'tcp',
      ...(choice === undefined ? {} : { choose: parseChoice(choice) }),
    })
    return client
  } catch (error) {
    await client.close()
    throw error
  }
}

/** Reads `eeg/1,2,3@4;bp/1`. */
function parseChoice(text: string): SignalChoice[] {
  return text.split(';').map((part) => {
    const [, type, channels, factor] = /^([\w-]+)\/(\d+(?:,\d+)*)(?:@(\d+))?$/.exec(part) ?? []
    if (type === undefined || channels === undefined) {
      throw tiaError('ERR_TIA_OPTION_INVALID', `channels are written eeg/1,2,3 or eeg/1,2,3@4, not ${part}`)
    }
    const chosen = { type, channels: channels.split(',').map((nr) => Number(nr) - 1) }
    return factor === undefined ? chosen : { ...chosen, downsampling: Number(factor) }
  })
}
