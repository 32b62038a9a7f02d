import test from 'ava'
import { MemoryNetwork, memoryPair } from '../../ts/session/memory-transport.js'

test('a lossy network loses the datagrams that it is told to', async (t) => {
  const network = new MemoryNetwork({ loses: (n) => n % 2 === 1 })
  const receiver = await network.datagrams({})
  const sender = await network.datagrams({ remote: { host: '127.0.0.1', port: receiver.localPort } })
  const got: number[] = []
  const all = new Promise<void>((resolve) => {
    receiver.start({ onChunk: (chunk) => got.push(...chunk) === 6 && resolve(), onClose: () => {} })
  })
  for (let n = 0; n < 4; n++) sender.write(Uint8Array.of(n))
  await all
  t.deepEqual(got, [1, 0, 0, 1, 0, 2])
})

test('a chunk is overwritten when its call is over', (t) => {
  const [near, far] = memoryPair()
  let kept: Uint8Array | undefined
  near.start({
    onChunk: (chunk) => {
      kept = chunk
    },
    onClose: () => {},
  })
  far.write(Uint8Array.of(1, 2, 3))
  return Promise.resolve()
    .then(() => {})
    .then(() => t.deepEqual([...(kept as Uint8Array)], [0xaa, 0xaa, 0xaa]))
})
