import { type Audit, auditRecording } from '../store/index.js'
import { type Command, EXIT } from './command.js'
import { cliError } from './error-codes.js'
import { formatBytes, formatCount, formatMany, parseFolder } from './values.js'

export const command: Command = {
  usage: 'DIR',
  line: 'reads a recording whole and checks it against its ledger, books, sequence numbers and checksums',
  options: {},
  async run(call) {
    const [directory, ...more] = call.args
    if (directory === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'audit of which recording?')
    if (more.length > 0)
      throw cliError('ERR_CLI_ARGUMENT_UNEXPECTED', `audit takes one recording, not ${more.join(' ')} too`)
    const audit = await auditRecording(parseFolder(directory))
    if (call.json) await call.out.json({ event: 'audit', ...audit })
    else {
      for (const { name, rows, files, bytes, replay, losses, wireLoss, isLive, problems } of audit.sources) {
        await call.out.line(
          `${name}: ${formatMany(rows, 'row')} in ${formatMany(files, 'file')} of ${formatBytes(bytes)}, replay ${replay}`,
        )
        if (isLive)
          await call.out.line('  it is being written: its books and sequence numbers are checked when it is closed')
        const { records, missing, open } = losses
        if (records > 0) {
          await call.out.line(
            `  losses: ${formatMany(records, 'record')}, ${formatMany(missing, 'row')} known to be missing, ${formatCount(open)} open`,
          )
        }
        if (wireLoss !== null) await call.out.line(`  losses on the wire: ${wireLoss}`)
        for (const { kind, file, text } of problems)
          await call.out.line(`  ${kind}: ${file === undefined ? '' : `${file}: `}${text}`)
      }
      await call.out.line(verdictOf(audit))
    }
    if (!audit.isSound) return EXIT.usage
    return audit.isComplete ? EXIT.done : EXIT.incomplete
  },
}

function verdictOf({ isSound, isComplete, sources }: Audit): string {
  if (!isSound) return 'NOT SOUND'
  const soFar = sources.some(({ isLive }) => isLive) ? ' so far' : ''
  if (!isComplete) return `sound${soFar}, with losses`
  const isKnown = sources.every(({ wireLoss }) => wireLoss === null)
  return isKnown ? `sound and complete${soFar}` : `sound${soFar}, and nothing lost that could be noticed`
}
