import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'

const root = join(import.meta.dirname, '..', '..', '..')
const python = join(root, '.peers', 'sttpapi', 'bin', 'python')

/** Prints the public names of sttpapi's four classes for users, and what their instances have. */
const PRINT = `
from sttp.config import Config
from sttp.publisher import Publisher
from sttp.settings import Settings
from sttp.subscriber import Subscriber
for named in (Subscriber, Publisher):
    print(*(name for name in dir(named) if not name.startswith('_')), sep='\\n')
for made in (Config(), Settings()):
    print(*vars(made), sep='\\n')
`

test('the guide has every public name of sttpapi’s subscriber, publisher, config and settings', (t) => {
  const names = execFileSync(python, ['-c', PRINT], { encoding: 'utf8' }).trim().split('\n')
  t.true(names.length > 100, names.join())
  const guide = readFileSync(join(root, 'docs', 'sttp.md'), 'utf8')
  const [, behind = ''] = guide.split('## Coming from the Python, C++ or .NET API\n')
  const [table = ''] = behind.split('\n## ')
  const known = new Set(table.match(/\w+/g))
  // One row says what becomes of all that set a property.
  const missing = names.filter((name) => !known.has(name.replace(/^set_/, '')))
  t.deepEqual(missing, [])
})
