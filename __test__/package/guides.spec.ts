import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'

const root = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const pages = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
]

test('the first program of the README is the example, and prints two frames of three signals', (t) => {
  const [, program = ''] = /```ts\n(.*?)```/s.exec(read('README.md')) ?? []
  const example = read('examples/first-program.ts').replace('../ts/sttp/index.js', 'measurand/sttp')
  t.is(example.slice(example.indexOf('import')), program)
  const args = ['--import', 'tsx', join('examples', 'first-program.ts')]
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  t.deepEqual(
    stdout.trim().split('\n'),
    [0, 1].flatMap((frame) =>
      [0, 1, 2].map((signal) => {
        const time = frame === 0 ? '00.000' : '00.033'
        return `SYN:T${signal} 2024-01-01T00:00:${time}Z ${1000 * signal + 0.25 * frame}`
      }),
    ),
    stderr,
  )
})

test('every link of a page leads somewhere', (t) => {
  for (const page of pages) {
    for (const [, target] of read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (target === undefined || /^https?:/.test(target)) continue
      t.true(existsSync(join(root, dirname(page), target)), `${page}: ${target}`)
    }
  }
})

test('every example is in a guide, and every example of a guide is there', (t) => {
  const guides = pages.map(read).join('\n')
  const examples = readdirSync(join(root, 'examples')).filter((file) => file.endsWith('.ts'))
  for (const example of examples) t.true(guides.includes(`examples/${example}`), example)
  for (const [, named] of guides.matchAll(/examples\/([\w-]+\.ts)/g)) t.true(examples.includes(named ?? ''), named)
})
