import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { Program } from '../program.js'

const root = join(import.meta.dirname, '..', '..')
const MODULE = pathToFileURL(join(root, 'scripts', 'tally.mjs')).href
const NODE = JSON.stringify(process.execPath)

/** A run whose steps are these. */
function run(steps: string, options = '{}'): Program {
  const script = `import { Tally } from '${MODULE}'; const tally = new Tally(${options}); ${steps}; tally.close()`
  return new Program(process.execPath, ['--input-type=module', '-e', script], { cwd: root })
}

const step = (name: string, script: string): string =>
  `await tally.check('${name}', ${NODE}, ['-e', ${JSON.stringify(script)}])`

const lastLine = ({ output }: Program): string => output.trimEnd().split('\n').at(-1) ?? ''

test('the last line has what passed and what failed, and so has the exit code', async (t) => {
  const good = run(step('good', ''))
  t.is(await good.ended, 0)
  t.is(lastLine(good), '1 passed, 0 failed')
  const mixed = run([step('good', ''), step('bad', 'process.exit(3)'), step('killed', 'process.abort()')].join(';'))
  t.is(await mixed.ended, 1)
  t.is(lastLine(mixed), '1 passed, 2 failed')
  t.regex(mixed.output, /FAILED: bad \(exit code 3\)/)
})

test('a runner that dies without a result, and one that is not there, are failures', async (t) => {
  const mute = run("await tally.cargo('mute', ['--no-such-option']); await tally.check('none', 'no-such-command', [])")
  t.is(await mute.ended, 1)
  t.is(lastLine(mute), '0 passed, 2 failed')
})

test('a step that hangs is killed with what it started, and the others are run', async (t) => {
  const hangs =
    "require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'inherit' })"
  const hanging = run(`${step('hangs', hangs)};${step('good', '')}`, '{ stepLimit: 1500 }')
  t.is(await hanging.ended, 1)
  t.is(lastLine(hanging), '1 passed, 1 failed')
})

test('what a step leaves behind does not hold up the run', async (t) => {
  const leaves =
    "require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'inherit' }).unref(); process.exit(0)"
  const left = run(step('leaves', leaves))
  t.is(await left.ended, 0)
  t.regex(left.output, /what it left behind is killed/)
})

test('a run whose time is over, and one that is told to end, say what they have', async (t) => {
  const late = run(step('late', ''), '{ limit: 0 }')
  t.is(await late.ended, 1)
  t.is(lastLine(late), '0 passed, 1 failed')
  const told = run(`tally.prepare(); ${step('waits', "console.log('waiting'); setInterval(() => {}, 1e6)")}`)
  await told.printed(/waiting/)
  t.is(await told.kill('SIGTERM'), 1)
  t.is(lastLine(told), '0 passed, 1 failed')
})

test('without set-up there is nothing to count', async (t) => {
  const none = run("tally.prepare(() => { throw new Error('no compiler') })")
  t.is(await none.ended, 1)
  t.is(lastLine(none), '0 passed, 1 failed')
  t.regex(none.output, /setup failed: no compiler/)
})
