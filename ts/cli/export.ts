import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { Batch, TableName } from '../batch/index.js'
import {
  expandUrl,
  fieldsOf,
  openSource,
  ParquetSink,
  pipeline,
  SELECTION_OPTIONS,
  SourceUrl,
} from '../ingest/index.js'
import type { Sink, Source } from '../session/index.js'
import { textsOf } from '../store/column-slice.js'
import { recordingInfo } from '../store/index.js'
import type { Call, Command } from './command.js'
import { cliError } from './error-codes.js'
import { Output } from './output.js'
import { FORMATS as ROW_FORMATS } from './row-format.js'
import { RowSink } from './row-sink.js'
import { summarize } from './summary.js'
import { parseChoice, parseFolder } from './values.js'

/** What an export is made of. */
export interface Export {
  /** Where it goes; `-` is stdout. */
  readonly file: string
  /** What is exported; the sink is given its batches of the table. */
  readonly source: Source
  readonly table: TableName
  /** The same rows once more, for a format that has to look at them first. */
  reopen(): Promise<Source>
}

/** Formats by name: a system adds its line. */
const FORMATS: Readonly<Record<string, (call: Call, what: Export) => Promise<Sink>>> = {
  parquet: async (_call, { file, table, reopen }) => ParquetSink.open(file, await fieldsOf(await reopen(), table)),
  csv: async (call, { file }) => new CsvSink(call, file),
  hdf5: async (_call, { file, source }) => (await import('../cdtp/hdf5-sink.js')).Hdf5Sink.open(file, source),
  xdf: async (_call, { file, source }) => (await import('../tia/xdf.js')).XdfSink.open(file, source),
}

const TABLES = ['measurement', 'record', 'event'] as const

export const command: Command = {
  usage: 'DIR --format FORMAT -o FILE',
  line: 'writes the rows of a recorded source for other programs',
  options: {
    format: { value: 'FORMAT', line: Object.keys(FORMATS).join(' or ') },
    out: { value: 'FILE', short: 'o', line: 'where to; csv goes to stdout unless told' },
    table: { value: 'TABLE', line: 'measurement (default; hdf5: record), record or event' },
    run: { value: 'NAME', line: 'records of one run; hdf5 needs it where the recording has several' },
    source: { value: 'NAME', line: 'which source, where the recording has several' },
    ...SELECTION_OPTIONS,
  },
  async run(call) {
    const text = (name: string): string | undefined => call.options.get(name) as string | undefined
    const [recording, ...more] = call.args
    if (recording === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'export which recording?')
    if (more.length > 0)
      throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', `export takes one recording, not ${more.join(' ')} too`)
    const directory = parseFolder(recording)
    const format = text('format')
    if (format === undefined)
      throw cliError('ERR_CLI_ARGUMENT_MISSING', `--format ${Object.keys(FORMATS).join(' or ')}`)
    const open = FORMATS[parseChoice('format', format, Object.keys(FORMATS))] as (typeof FORMATS)[string]
    const table = parseChoice('table', text('table') ?? (format === 'hdf5' ? 'record' : 'measurement'), TABLES)
    const file = text('out') ?? (format === 'csv' ? '-' : undefined)
    if (file === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'where to? -o FILE')
    if (file === '-' && format !== 'csv')
      throw cliError('ERR_CLI_OPTION_INVALID', `${format} goes to a file, not to stdout`)

    const options = ['source', 'since', 'until', 'signal'].flatMap((name): [string, string][] => {
      const value = text(name)
      return value === undefined ? [] : [[name, value]]
    })
    const [url, ...others] = await expandUrl(new SourceUrl(`file:${encodeURIComponent(directory)}`, options))
    if (url === undefined || others.length > 0) {
      const names = [url, ...others].flatMap((one) => one?.option('source') ?? []).join(', ') || 'none'
      throw cliError('ERR_CLI_ARGUMENT_MISSING', `which source? --source NAME; there are ${names}`)
    }
    const reopen = (): Promise<Source> => openSource(url)
    await using source = await reopen()
    const run = format === 'hdf5' ? await oneRun(directory, source.name, text('run')) : text('run')
    const sink = new OneTable(await open(call, { file, source, table, reopen }), table, run)
    const { books, ...result } = await pipeline(source, sink, { signal: call.signal })
    const { skipped } = sink
    const exported = { ...books, stored: books.stored - skipped, filtered: books.filtered + skipped }
    const sinkError = await sink.close().then(
      () => undefined,
      (error: Error) => error,
    )
    return summarize(file === '-' ? { ...call, json: false } : call, [{ ...result, books: exported }], sinkError)
  },
}

/** The run that goes into a file which holds one. */
async function oneRun(directory: string, source: string, wanted: string | undefined): Promise<string | undefined> {
  if (wanted !== undefined) return wanted
  const { sources } = await recordingInfo(directory)
  const tables = sources.find(({ name }) => name === source)?.tables ?? []
  const runs = tables.flatMap(({ run }) => run ?? [])
  if (runs.length < 2) return undefined
  throw cliError('ERR_CLI_ARGUMENT_MISSING', `a file has one run: --run NAME; there are ${runs.join(', ')}`)
}

/** Gives a sink the batches of one table, and of one run where that is told. */
class OneTable implements Sink {
  /** Rows of other tables. */
  skipped = 0
  readonly #sink: Sink
  readonly #table: TableName
  readonly #run: string | undefined

  constructor(sink: Sink, table: TableName, run: string | undefined) {
    this.#sink = sink
    this.#table = table
    this.#run = run
  }

  get stored(): number {
    return this.#sink.stored
  }

  write(batch: Parameters<Sink['write']>[0], source: Source): void | Promise<void> {
    if (batch.table === this.#table && this.#isOfRun(batch)) return this.#sink.write(batch, source)
    this.skipped += source.countOf(batch)
    return undefined
  }

  close(): Promise<void> {
    return this.#sink.close()
  }

  /** A file of a recording has the rows of one run. */
  #isOfRun(batch: Batch): boolean {
    if (this.#run === undefined) return true
    const column = batch.columns().find(({ field }) => field.name === 'run')
    return column !== undefined && textsOf(column, Math.min(1, batch.length))[0] === this.#run
  }
}

/** Rows as CSV, to a file or stdout. */
class CsvSink extends RowSink {
  readonly #stream: NodeJS.WritableStream | undefined

  constructor(call: Call, file: string) {
    const stream = file === '-' ? undefined : createWriteStream(file)
    super(stream === undefined ? call.out : new Output(stream), ROW_FORMATS.csv)
    this.#stream = stream
  }

  override async close(): Promise<void> {
    await super.close()
    if (this.#stream === undefined) return
    this.#stream.end()
    await finished(this.#stream)
  }
}
