import { type OptionTable, SCHEMES } from '../ingest/index.js'
import type { Command } from './command.js'

const WIDTH = 26

/** What `measurand --help` prints. */
export function overview(commands: readonly (readonly [name: string, line: string])[]): string {
  const width = Math.max(...commands.map(([name]) => name.length)) + 2
  const lines = commands.map(([name, line]) => `  ${name.padEnd(width)}${line}`)
  return [
    'measurand: record and read measurement streams, with an exact account of what was lost',
    '',
    'measurand COMMAND [ARGUMENT...] [--option value]',
    '',
    ...lines,
    '',
    `Sources are URLs: ${SCHEMES.map((scheme) => (scheme === 'file' ? 'file:FOLDER' : `${scheme}://...`)).join(', ')}`,
    'measurand COMMAND --help lists the options of a command, with a URL or a system those of the system too.',
    '',
    'Exit codes: 0 done and complete, 1 wrong use or bad input, 2 the source failed, 3 done but rows were lost,',
    '4 the sink failed, 130 interrupted after draining.',
  ].join('\n')
}

/** What `measurand COMMAND --help` prints. */
export function commandHelp(name: string, command: Command, table: OptionTable): string {
  const lines = Object.entries(table).map(([option, { value, short, line }]) => {
    const form = `  ${short === undefined ? '' : `-${short}, `}--${option}${value === undefined ? '' : ` ${value}`}`
    return form.length < WIDTH ? `${form.padEnd(WIDTH)}${line}` : `${form}\n${' '.repeat(WIDTH)}${line}`
  })
  return [`measurand ${name} ${command.usage}`, '', command.line, '', ...lines].join('\n')
}
