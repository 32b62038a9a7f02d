import { stat } from 'node:fs/promises'
import { nativeIdText } from '../batch/index.js'
import { loadSystem, SCHEMES, type SourceUrl } from '../ingest/index.js'
import { type SourceDescription, systemNetwork } from '../session/index.js'
import { type Inspection, inspectFile } from '../store/codec.js'
import { recordingInfo, type SourceInfo } from '../store/index.js'
import { type Call, type Command, EXIT } from './command.js'
import { cliError } from './error-codes.js'
import { open, SOURCE_OPTIONS, urlsOf } from './source-options.js'
import { formatBytes, formatCount, formatMany, formatTime, parseFolder } from './values.js'

export const command: Command = {
  usage: 'URL|DIR|FILE',
  line: 'says what a source offers, or what a recording holds and whether its books balance',
  takesUrls: true,
  options: { wait: SOURCE_OPTIONS.wait },
  async run(call) {
    const [what, ...more] = call.args
    if (what === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'info of what? a URL, a recording or a file')
    if (more.length > 0)
      throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', `info takes one argument, not ${more.join(' ')} too`)
    const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(what)?.[1]?.toLowerCase()
    if (scheme === 'file') return infoOfPath(call, parseFolder(what))
    if (scheme !== undefined && (SCHEMES.includes(scheme) || what.includes('://'))) return infoOfSource(call)
    return infoOfPath(call, what)
  },
}

async function infoOfSource(call: Call): Promise<number> {
  const [url] = await urlsOf(call)
  if (url === undefined) return EXIT.usage
  const described = await (await loadSystem(url.scheme)).describeSource?.(url, systemNetwork)
  if (described !== undefined) return tellDescription(call, url, described)
  const source = await open(call, url)
  try {
    const { peer, quirks, clock, meta } = source.describe()
    const signals = Array.from(source.signals, ({ nativeId, source: _, ...signal }) => ({
      ...signal,
      nativeId: nativeIdText(nativeId, source.system),
    }))
    if (call.json) {
      await call.out.json({
        event: 'info',
        name: source.name,
        system: source.system,
        peer,
        quirks,
        clock,
        meta,
        signals,
      })
      return EXIT.done
    }
    await call.out.line(`${source.name}  ${source.system}  ${peer}`)
    if (quirks.length > 0) await call.out.line(`  quirks: ${quirks.join('; ')}`)
    await call.out.line(`  signals: ${formatCount(signals.length)}`)
    for (const { id, nativeId, name, kind, unit, rateHz } of signals) {
      const parts = [String(id), nativeId, name, kind, unit, rateHz === null ? '' : `${rateHz} Hz`]
      await call.out.line(`  ${parts.filter((part) => part !== '').join('  ')}`)
    }
    return EXIT.done
  } finally {
    await source.close()
  }
}

async function tellDescription({ out, json }: Call, url: SourceUrl, what: SourceDescription): Promise<number> {
  if (json) {
    await out.json({ event: 'info', name: url.name, system: url.scheme, ...what, signals: [] })
    return EXIT.done
  }
  await out.line(`${url.name}  ${url.scheme}  ${what.peer}`)
  const entries = Object.entries(what.meta)
  const width = Math.max(...entries.map(([key]) => key.length))
  for (const [key, value] of entries) await out.line(`  ${key.padEnd(width)}  ${value}`)
  if (entries.length > 0) return EXIT.done
  await out.line('  nobody answers')
  return EXIT.source
}

async function infoOfPath(call: Call, path: string): Promise<number> {
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    (cause: Error) => {
      throw cliError('ERR_CLI_FILE_UNREADABLE', `${path}: ${cause.message}`, { cause })
    },
  )
  if (isFile) {
    const inspection = await inspectFile(path)
    await (call.json ? call.out.json({ event: 'info', path, ...inspection }) : tellFile(call, path, inspection))
    return EXIT.done
  }
  return tellRecording(call, path)
}

/** Says what a recording holds; gives the exit code. */
export async function tellRecording(call: Call, path: string): Promise<number> {
  const info = await recordingInfo(path)
  if (call.json) await call.out.json({ event: 'info', ...info })
  else {
    await call.out.line(`${path}: format ${info.format}, ${formatMany(info.sources.length, 'source')}`)
    for (const source of info.sources) await tellSource(call, source)
  }
  return info.sources.every(({ imbalance }) => imbalance === null || imbalance === 0) ? EXIT.done : EXIT.usage
}

async function tellSource({ out }: Call, source: SourceInfo): Promise<void> {
  await out.line(`${source.name}  ${source.system}  ${source.url}`)
  const start = source.start === null ? 'an unknown time' : formatTime(source.start)
  await out.line(`  recorded from ${start} to ${endText(source)}`)
  if (source.peer !== '') await out.line(`  peer ${source.peer}`)
  if (source.quirks.length > 0) await out.line(`  quirks ${source.quirks.join(', ')}`)
  for (const [name, value] of Object.entries(source.meta)) {
    if (value !== null && typeof value !== 'object') await out.line(`  ${name} ${value}`)
  }
  await out.line(`  signals ${formatCount(source.signals)}`)
  for (const { table, run, rows, files, bytes, firstTime, lastTime } of source.tables) {
    const span = firstTime === null || lastTime === null ? '' : `, ${formatTime(firstTime)} to ${formatTime(lastTime)}`
    const name = run === undefined ? table : `${table} ${run}`
    await out.line(
      `  ${name}: ${formatMany(rows, 'row')} in ${formatMany(files, 'file')} of ${formatBytes(bytes)}${span}`,
    )
  }
  if (source.books !== null) {
    const books = Object.entries(source.books).map(([name, rows]) => `${name} ${formatCount(rows)}`)
    await out.line(`  ${books.join(', ')}: ${verdictOf(source)}`)
  }
  await out.line(`  ${lossText(source)}`)
}

function endText({ end, isLive, isFinished }: SourceInfo): string {
  if (end !== null) return formatTime(end)
  if (isLive) return 'now'
  return isFinished ? 'the death of its writer, behind which it was recovered' : 'the death of its writer'
}

function verdictOf({ imbalance, end }: SourceInfo): string {
  if (imbalance === null) return 'not closed yet'
  if (imbalance === 0) return 'the books balance'
  return end === null
    ? `NOT CLOSED, ${formatMany(imbalance, 'row')} were under way when this was noted`
    : `THE BOOKS LACK ${imbalance} ROWS`
}

function lossText({ losses, end, wireLoss }: SourceInfo): string {
  const { records, missing, recovered, open } = losses
  if (records > 0) {
    const rows = `${formatMany(missing, 'row')} known to be missing, ${formatCount(recovered)} recovered`
    return `losses: ${formatMany(records, 'record')}, ${rows}, ${formatMany(open, 'record')} open`
  }
  if (end === null) return 'no loss noted so far'
  return wireLoss === null ? 'nothing lost' : 'nothing lost that could be noticed'
}

async function tellFile({ out }: Call, path: string, file: Inspection): Promise<void> {
  const kind = file.isParquet ? 'Parquet' : 'Arrow stream'
  await out.line(
    `${path}: ${kind}, ${formatMany(file.rows, 'row')} in ${formatMany(file.batches, 'batch', 'batches')} of ${formatBytes(file.bytes)}`,
  )
  for (const { name, type, nullable } of file.fields)
    await out.line(`  ${name}  ${type}${nullable ? '  nullable' : ''}`)
  if (file.firstTime !== undefined && file.lastTime !== undefined) {
    await out.line(`  ${formatTime(file.firstTime)} to ${formatTime(file.lastTime)}`)
  }
  await out.line(`  checksum ${file.checksum}`)
  if (file.tail !== undefined && !file.tail.closed)
    await out.line(`  not closed: ${formatBytes(file.tail.bytes)} behind the last whole batch`)
}
