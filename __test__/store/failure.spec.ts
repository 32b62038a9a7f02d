import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { StorageError } from '../../ts/session/index.js'
import { auditRecording } from '../../ts/store/audit.js'
import { FileReader, inspectFile } from '../../ts/store/codec.js'
import { parseRotation } from '../../ts/store/rotation.js'
import { StoreSink } from '../../ts/store/sink.js'
import { limited } from './limited.js'
import { SyntheticSource } from './synthetic-source.js'
import { temporary } from './temporary.js'

test('a limit on file sizes is a full disk', async (t) => {
  const directory = await temporary(t)
  const { code, stored, rows } = await limited(
    ['bash', '-c', `trap '' XFSZ; ulimit -f 1024; exec "$@"`, 'bash'],
    directory,
  )
  t.is(code, 'ERR_STORE_DISK_FULL')
  t.is(rows, stored)
  t.true(stored > 0)
})

test('a directory that cannot be one is refused', async (t) => {
  const directory = await temporary(t)
  await writeFile(join(directory, 'file'), 'x')
  await t.throwsAsync(StoreSink.open(directory), { code: 'ERR_STORE_DIRECTORY_FOREIGN', instanceOf: StorageError })
  await t.throwsAsync(StoreSink.open(join(directory, 'file')), { code: 'ERR_STORE_UNWRITABLE' })
  await t.throwsAsync(StoreSink.open(join(directory, 'file', 'below')), { code: 'ERR_STORE_UNWRITABLE' })
  if (process.platform === 'linux') {
    await t.throwsAsync(StoreSink.open('/proc/recording/below'), { code: 'ERR_STORE_UNWRITABLE' })
  }
  t.deepEqual(await readdir(directory), ['file'])
})

test('a segment that cannot be compacted stays, and closing says so', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  const source = new SyntheticSource({ rows: 100 })
  await sink.write(source.next(), source)
  const target = join(directory, 'synthetic', 'measurement', '000001.parquet')
  await mkdir(join(target, 'in the way'), { recursive: true })
  await t.throwsAsync(sink.close(), { code: 'ERR_STORE_UNWRITABLE' })
  t.is((await inspectFile(join(directory, 'synthetic', 'measurement', '000001.arrows'))).rows, 100)
})

test('foreign, cut and missing files are typed errors', async (t) => {
  const directory = await temporary(t)
  const path = join(directory, 'file')
  for (const [bytes, code] of [
    [Buffer.alloc(0), 'ERR_STORE_FILE_FOREIGN'],
    [Buffer.from('hello world'), 'ERR_STORE_FILE_FOREIGN'],
    [Buffer.alloc(64, 0xff), 'ERR_STORE_FILE_FOREIGN'],
    [Buffer.from('PAR1 and so on PAR1'), 'ERR_STORE_FILE_DAMAGED'],
  ] as const) {
    await writeFile(path, bytes)
    t.throws(() => new FileReader(path), { code, instanceOf: StorageError })
    await t.throwsAsync(inspectFile(path), { code, instanceOf: StorageError })
  }
  await t.throwsAsync(inspectFile(join(directory, 'none')), { code: 'ERR_STORE_FILE_MISSING' })
  await t.throwsAsync(inspectFile(directory), { code: 'ERR_STORE_UNREADABLE' })
})

test('a closed sink takes nothing', async (t) => {
  const directory = await temporary(t)
  const sink = await StoreSink.open(directory)
  await sink.close()
  await sink.close()
  const source = new SyntheticSource({ rows: 10 })
  await t.throwsAsync(sink.write(source.next(), source), { code: 'ERR_STORE_CLOSED' })
})

test('rotations are read as they are typed', (t) => {
  t.deepEqual(parseRotation('1MiB'), { bytes: 1_048_576, ms: 600_000 })
  t.deepEqual(parseRotation('90s'), { bytes: 268_435_456, ms: 90_000 })
  t.deepEqual(parseRotation('2GB|1h'), { bytes: 2_000_000_000, ms: 3_600_000 })
  for (const text of ['', '5', 'x', '0s', '-1s', '5 parsecs', '1MiB|']) {
    t.throws(() => parseRotation(text), { code: 'ERR_STORE_OPTION_INVALID' }, text)
  }
})

test('a recording of which a source is gone can be audited', async (t) => {
  const directory = await temporary(t)
  const sources = [{ name: 'gone', system: 'sttp', url: '' }]
  await writeFile(join(directory, 'recording.json'), JSON.stringify({ format: 1, systems: ['sttp'], sources }))
  const { isSound, sources: audits } = await auditRecording(directory)
  t.false(isSound)
  t.deepEqual(
    audits[0]?.problems.map(({ kind }) => kind),
    ['interrupted'],
  )
})
