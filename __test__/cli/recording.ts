import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { pipeline } from '../../ts/ingest/index.js'
import { MemoryNetwork, type Transport } from '../../ts/session/index.js'
import { StoreSink } from '../../ts/store/index.js'
import { CONTROL } from '../session/byte-decoder.js'
import { ByteSession } from '../session/byte-session.js'

/** A directory that is gone when the test is over. */
export async function temporary(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'measurand-cli-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A recording of sources of so many rows each; row n has the value n mod 200. */
export async function recordingOf(t: ExecutionContext, ...rows: readonly number[]): Promise<string> {
  const directory = join(await temporary(t), 'recording')
  const sink = await StoreSink.open(directory)
  for (const count of rows) {
    const network = new MemoryNetwork()
    let far: Transport | undefined
    await network.listen({ host: '127.0.0.1', port: 7 }, (transport) => {
      far = transport
      transport.start({ onChunk: () => {}, onClose: () => {} })
    })
    const session = new ByteSession({ network, reconnect: false })
    session.signals.add({ nativeId: Buffer.from('eeg/0'), name: 'Cz', kind: 'eeg', unit: 'uV' })
    await session.connect()
    far?.write(Uint8Array.from([...Array.from({ length: count }, (_, n) => n % 200), CONTROL]))
    const { books } = await pipeline(session, sink)
    await sink.settle(session, books)
  }
  await sink.close()
  return directory
}
