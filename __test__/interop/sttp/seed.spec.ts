import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'
import { freePort } from '../../free-port.js'
import { Peer } from './peer.js'

const root = join(import.meta.dirname, '../../..')

test.serial('sttpapi’s program of the seed subscribes to our publisher program of the seed', async (t) => {
  const port = String(await freePort())
  const metadata = join(root, '__test__/vectors/sttp/metadata6.xml')
  const args = ['--import', 'tsx', join(root, 'examples/seed-publish.ts'), metadata, port]
  const publisher = spawn(process.execPath, args, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => publisher.kill('SIGKILL'))
  await once(publisher.stdout, 'data')
  const peer = new Peer('seed_sub.py', `localhost:${port}`)
  t.teardown(() => peer.kill())
  await peer.printed(/seen|nothing came/)
  t.regex(peer.output, /Client subscribed as TSSC with 6 signals\./)
  t.regex(
    peer.output,
    /measurements received so far\. Current measurement:\s+00000000-0000-4000-8000-[0-9a-f]{12} @ \d\d:\d\d:\d\d\.\d{3} = -?\d+\.\d+ \(Normal\)/i,
  )
  publisher.stdin.write('\n')
  const [code] = await once(publisher, 'close')
  t.is(code, 0)
})
