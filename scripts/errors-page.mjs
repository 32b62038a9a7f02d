// docs/errors.md from the tables of codes, one `error-codes.ts` a room: `node scripts/errors-page.mjs [--check]`.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { register } from 'tsx/esm/api'
import { ROOT } from './setup.mjs'

register()
for (const room of readdirSync(`${ROOT}/ts`)) {
  if (existsSync(`${ROOT}/ts/${room}/error-codes.ts`)) await import(`${ROOT}/ts/${room}/error-codes.ts`)
}
const { errorCodes } = await import(`${ROOT}/ts/session/errors.ts`)

const BLAME = {
  malformed: 'MalformedError',
  protocol: 'ProtocolError',
  limit: 'LimitError',
  usage: 'UsageError',
  transport: 'TransportError',
  storage: 'StorageError',
}
const lines = [
  '# Error codes',
  '',
  'Written by `node scripts/errors-page.mjs` from the tables in `ts/*/error-codes.ts`.',
  '',
  'Every error of this package is a `MeasurandError` with a `code`. Codes are the interface and stay as they are; texts',
  'may change. The class says who is at fault: `MalformedError` the bytes, `ProtocolError` the peer, `LimitError` a bound',
  'that an option sets, `UsageError` the caller, `TransportError` the network, `StorageError` what is behind a sink.',
]
let system = ''
for (const entry of errorCodes()) {
  const [, room] = entry.code.split('_')
  if (room !== system) {
    system = room
    lines.push('', `## ${entry.system}`, '', '| code | class | what happened, and what to do |', '|---|---|---|')
  }
  lines.push(`| \`${entry.code}\` | ${BLAME[entry.blame]} | ${entry.line.replaceAll('|', '\\|')} |`)
}
const page = `${lines.join('\n')}\n`
const path = `${ROOT}/docs/errors.md`
if (!process.argv.includes('--check')) {
  writeFileSync(path, page)
} else if (!existsSync(path) || readFileSync(path, 'utf8') !== page) {
  console.error('docs/errors.md is not what `node scripts/errors-page.mjs` writes')
  process.exit(1)
}
