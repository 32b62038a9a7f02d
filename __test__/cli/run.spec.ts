import { readFileSync } from 'node:fs'
import test from 'ava'
import { measurand } from './streams.js'

test('alone and with --help it lists its commands', async (t) => {
  for (const args of [[], ['--help'], ['-h'], ['help']]) {
    const { code, stdout, stderr } = await measurand(args)
    t.is(code, 0)
    t.regex(stdout, /^ {2}record {2,}records/m)
    t.regex(stdout, /^ {2}tail {2,}prints/m)
    t.notRegex(stdout, /bridge|query|cannot be loaded/)
    t.is(stderr, '')
  }
})

test('every command has its help', async (t) => {
  const { stdout } = await measurand(['--help'])
  const commands = [...stdout.matchAll(/^ {2}([\w-]+) {2,}/gm)].map(([, name]) => name as string)
  t.true(commands.length >= 3)
  for (const command of commands) {
    const help = await measurand([command, '--help'])
    t.is(help.code, 0)
    t.true(help.stdout.startsWith(`measurand ${command} `))
    t.regex(help.stdout, /--json/)
  }
})

test('--version is that of the package', async (t) => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  for (const args of [['--version'], ['tail', '--version']]) {
    t.is((await measurand(args)).stdout, `${version}\n`)
  }
})

for (const [what, args, code] of [
  ['an unknown command', ['recrod'], 'ERR_CLI_COMMAND_UNKNOWN'],
  ['a name of the prototype', ['constructor'], 'ERR_CLI_COMMAND_UNKNOWN'],
  ['an unknown option', ['tail', 'sttp://127.0.0.1:1', '--frobnicate'], 'ERR_CLI_OPTION_UNKNOWN'],
  ['an option without its value', ['record', '--out'], 'ERR_CLI_OPTION_INVALID'],
  ['an option with another behind it', ['tail', 'sttp://127.0.0.1:1', '--limit', '-5'], 'ERR_CLI_OPTION_INVALID'],
  ['a switch with a value', ['tail', '--json=yes'], 'ERR_CLI_OPTION_INVALID'],
  ['too much', ['audit', 'a', 'b'], 'ERR_CLI_ARGUMENT_UNEXPECTED'],
  ['no source', ['tail'], 'ERR_CLI_ARGUMENT_MISSING'],
  ['no place', ['record', 'gopher://h:1'], 'ERR_CLI_ARGUMENT_MISSING'],
  ['an unknown scheme', ['tail', 'gopher://h:1'], 'ERR_INGEST_URL_SCHEME'],
  ['no scheme', ['tail', '127.0.0.1:7165'], 'ERR_INGEST_URL_SYNTAX'],
  ['no system', ['decode'], 'ERR_CLI_ARGUMENT_MISSING'],
  ['an unknown system', ['decode', 'gopher'], 'ERR_CLI_SYSTEM_UNKNOWN'],
] as const) {
  test(`${what} is wrong use`, async (t) => {
    const { code: exit, stdout, stderr } = await measurand(args)
    t.is(exit, 1)
    t.is(stdout, '')
    t.true(stderr.startsWith('measurand: '))
    t.true(stderr.endsWith(`(${code})\n`), stderr)
    t.is(stderr.indexOf('\n'), stderr.length - 1, 'one line')
  })
}
