import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { limited } from '../../store/limited.js'

test('a full disk is a typed error, and what was stored before is whole', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'measurand-disk-'))
  // A file system of 2 MiB in a mount namespace of its own: whoever is not root needs a user namespace too.
  const namespace = process.getuid?.() === 0 ? '-m' : '-rm'
  const mount = `mount -t tmpfs -o size=2048k tmpfs ${directory} && exec "$@"`
  const { code, system, stored, rows } = await limited(['unshare', namespace, 'sh', '-c', mount, 'sh'], directory)
  t.is(code, 'ERR_STORE_DISK_FULL')
  t.is(system, 'store')
  t.true(stored > 0)
  t.is(rows, stored)
  await rm(directory, { recursive: true })
})
