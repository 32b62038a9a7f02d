import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { MemoryNetwork } from '../../ts/session/memory-transport.js'
import { ReusedReader } from '../../ts/session/stream-transport.js'
import { systemNetwork } from '../../ts/session/system-network.js'
import type { Endpoint, Listener, Network, TlsOptions, Transport } from '../../ts/session/transport.js'

/** Reads a transport as a test wants it. */
class Reader {
  readonly bytes: number[] = []
  chunks = 0
  ended = false
  closed: Promise<Error | undefined>
  #wake: (() => void)[] = []

  constructor(transport: Transport, options: { onEnd?: () => void; onDrain?: () => void } = {}) {
    let close = (_error?: Error): void => {}
    this.closed = new Promise((resolve) => {
      close = resolve
    })
    transport.start({
      onChunk: (chunk) => {
        this.chunks++
        for (const byte of chunk) this.bytes.push(byte)
        this.#tell()
      },
      ...(options.onEnd === undefined ? {} : { onEnd: options.onEnd }),
      ...(options.onDrain === undefined ? {} : { onDrain: options.onDrain }),
      onClose: (error) => {
        this.ended = true
        close(error)
        this.#tell()
      },
    })
  }

  async until(count: number): Promise<void> {
    while (this.bytes.length < count && !this.ended) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

async function pair(
  t: ExecutionContext,
  network: Network,
  tls: { server?: TlsOptions; client?: TlsOptions } = {},
): Promise<[Transport, Transport, Listener]> {
  let accepted = (_transport: Transport): void => {}
  const far = new Promise<Transport>((resolve) => {
    accepted = resolve
  })
  const endpoint = (port: number, options: TlsOptions | undefined): Endpoint =>
    options === undefined ? { host: '127.0.0.1', port } : { host: '127.0.0.1', port, tls: options }
  const listener = await network.listen(endpoint(0, tls.server), (transport) => accepted(transport))
  t.teardown(() => listener.close())
  const ends = [await network.dial(endpoint(listener.port, tls.client)), await far] as const
  t.teardown(() => {
    for (const end of ends) end.close()
  })
  return [...ends, listener]
}

function certificate(): { cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'measurand-tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', '/CN=measurand test', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
    ],
    { stdio: 'ignore' },
  )
  const pem = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  rmSync(folder, { recursive: true })
  return pem
}

const pem = certificate()
const NETWORKS: [string, () => Network, { server?: TlsOptions; client?: TlsOptions }][] = [
  ['memory', () => new MemoryNetwork(), {}],
  ['memory, byte by byte', () => new MemoryNetwork({ split: () => 1 }), {}],
  ['TCP', () => systemNetwork, {}],
  ['TLS', () => systemNetwork, { server: pem, client: { ca: pem.cert } }],
]

for (const [name, make, tls] of NETWORKS) {
  test(`${name}: bytes arrive both ways, several buffers as one write`, async (t) => {
    const [near, far] = await pair(t, make(), tls)
    const [atNear, atFar] = [new Reader(near), new Reader(far)]
    let done = 0
    near.write(Uint8Array.of(1, 2, 3), () => done++)
    near.write([Uint8Array.of(4), Uint8Array.of(5, 6)], () => done++)
    await atFar.until(6)
    t.deepEqual(atFar.bytes, [1, 2, 3, 4, 5, 6])
    far.write(Uint8Array.of(7))
    await atNear.until(1)
    t.deepEqual(atNear.bytes, [7])
    t.is(near.bytesOut, 6)
    t.is(near.bytesIn, 1)
    t.is(done, 2)
    near.close()
    t.is(await atNear.closed, undefined)
    t.is(await atFar.closed, undefined)
  })

  test(`${name}: small pieces are told one after the other when they have gone, also where they had to wait`, async (t) => {
    const [near, far] = await pair(t, make(), tls)
    near.start({ onChunk() {}, onClose() {} })
    const [pieces, length] = [name.includes('byte') ? 20 : 16_000, 1000]
    const gone: number[] = []
    const all = new Promise<void>((resolve) => {
      for (let n = 0; n < pieces; n++) {
        near.write(Buffer.alloc(length, n), () => {
          gone.push(n)
        })
      }
      // An empty one is told when those before it have gone.
      near.write(new Uint8Array(0), () => {
        gone.push(pieces)
        resolve()
      })
    })
    // More than the system has room for: nobody reads yet.
    t.true(gone.length < pieces)
    t.is(near.queuedBytes > 0, true)
    let [came, isRight] = [0, true]
    far.start({
      onChunk(bytes) {
        for (let at = 0; at < bytes.length; at++) {
          isRight &&= bytes[at] === Math.floor((came + at) / length) % 256
        }
        came += bytes.length
      },
      onClose() {},
    })
    await all
    t.is(gone.length, pieces + 1)
    t.true(gone.every((piece, n) => piece === n))
    t.is(near.bytesOut, pieces * length)
    while (came < pieces * length) await new Promise((resolve) => setImmediate(resolve))
    t.true(isRight)
  })

  test(`${name}: nothing is read before start, or while paused`, async (t) => {
    const [near, far] = await pair(t, make(), tls)
    new Reader(far)
    far.write(Uint8Array.of(1, 2))
    for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve))
    const seen: number[] = []
    let wake = (): void => {}
    const told = new Promise<void>((resolve) => {
      wake = resolve
    })
    let held: Uint8Array | undefined
    near.start({
      onChunk: (chunk) => {
        near.pause()
        held = chunk
        seen.push(...chunk)
        if (seen.length >= 2) wake()
        else near.resume()
      },
      onClose: () => {},
    })
    await told
    const first = [...(held as Uint8Array)]
    far.write(Uint8Array.of(3, 4))
    for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve))
    t.deepEqual(seen, [1, 2])
    t.deepEqual([...(held as Uint8Array)], first)
    near.close()
    far.close()
  })

  test(`${name}: an end is told behind the last byte, and the other side may go on writing`, async (t) => {
    const [near, far] = await pair(t, make(), tls)
    const atNear = new Reader(near, { onEnd: () => {} })
    const atFar = new Reader(far, {
      onEnd: () => {
        far.write(Uint8Array.of(9))
        far.end()
      },
    })
    near.write(new Uint8Array(100_000))
    near.end()
    await atNear.closed
    t.is(atFar.bytes.length, 100_000)
    t.deepEqual(atNear.bytes, [9])
    await atFar.closed
  })

  test(`${name}: a writer that is faster than its reader is told so, and told when to go on`, async (t) => {
    const [near, far] = await pair(t, make(), tls)
    let drained = (): void => {}
    const drain = new Promise<void>((resolve) => {
      drained = resolve
    })
    new Reader(near, { onDrain: () => drained() })
    let writes = 1
    while (near.write(new Uint8Array(100_000)) && writes < 1000) writes++
    t.true(writes < 1000)
    t.true(near.queuedBytes > 0)
    const atFar = new Reader(far)
    await drain
    await atFar.until(writes * 100_000)
    t.is(atFar.bytes.length, writes * 100_000)
    near.close()
  })

  test(`${name}: nobody there is a typed error`, async (t) => {
    const network = make()
    const [near, far, listener] = await pair(t, network, tls)
    near.close()
    far.close()
    await listener.close()
    const endpoint = {
      host: '127.0.0.1',
      port: listener.port,
      ...(tls.client === undefined ? {} : { tls: tls.client }),
    }
    const error = await t.throwsAsync(network.dial(endpoint), { code: 'ERR_SESSION_CONNECT_REFUSED' })
    t.is(error?.name, 'TransportError')
  })

  test(`${name}: a port is listened at once`, async (t) => {
    const network = make()
    const server = tls.server === undefined ? {} : { tls: tls.server }
    const listener = await network.listen({ host: '127.0.0.1', port: 0, ...server }, () => {})
    t.teardown(() => listener.close())
    await t.throwsAsync(
      network.listen({ host: '127.0.0.1', port: listener.port, ...server }, () => {}),
      { code: 'ERR_SESSION_ADDRESS_IN_USE' },
    )
  })
}

test('TCP: a chunk that is held while paused keeps its bytes', async (t) => {
  const [near, far] = await pair(t, systemNetwork)
  new Reader(far)
  let resume = (): void => {}
  const chunks: number[][] = []
  let wake = (): void => {}
  const held = new Promise<Uint8Array>((resolve) => {
    near.start({
      onChunk: (chunk) => {
        chunks.push([...chunk])
        if (chunks.length > 1) return wake()
        near.pause()
        resume = () => near.resume()
        resolve(chunk)
      },
      onClose: () => {},
    })
  })
  far.write(Uint8Array.of(1, 2, 3))
  const chunk = await held
  far.write(Uint8Array.of(4, 5, 6))
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual([...chunk], [1, 2, 3])
  const second = new Promise<void>((resolve) => {
    wake = resolve
  })
  resume()
  await second
  t.deepEqual(chunks, [
    [1, 2, 3],
    [4, 5, 6],
  ])
  near.close()
  far.close()
})

test('TCP: a reset is a typed error on the other side', async (t) => {
  const server = createServer((accepted) => accepted.once('data', () => accepted.resetAndDestroy()))
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const dialled = await systemNetwork.dial({ host: '127.0.0.1', port: (server.address() as { port: number }).port })
  const reader = new Reader(dialled)
  dialled.write(Uint8Array.of(1))
  const error = await reader.closed
  t.is((error as { code?: string } | undefined)?.code, 'ERR_SESSION_CONNECTION_LOST')
})

test('TCP: dialling ends by its signal and by its time', async (t) => {
  const abort = new AbortController()
  const dialled = systemNetwork.dial({ host: '127.0.0.1', port: 9 }, abort.signal)
  abort.abort()
  await t.throwsAsync(dialled, { code: 'ERR_SESSION_ABORTED' })
  const full = createServer((accepted) => accepted.resume())
  t.teardown(() => full.close())
  await new Promise<void>((resolve) => full.listen({ port: 0, host: '127.0.0.1' }, resolve))
  await t.throwsAsync(
    systemNetwork.dial({
      host: '127.0.0.1',
      port: (full.address() as { port: number }).port,
      tls: {},
      connectTimeout: 50,
    }),
    { code: 'ERR_SESSION_CONNECT_TIMEOUT' },
  )
})

test('TCP: a host that does not resolve is told', async (t) => {
  await t.throwsAsync(systemNetwork.dial({ host: 'no-such-host.invalid', port: 1 }), {
    code: 'ERR_SESSION_ADDRESS_UNKNOWN',
  })
})

test('TLS: a server that is not trusted is refused', async (t) => {
  const listener = await listening(t, pem, () => t.fail())
  const dialled = systemNetwork.dial({ host: '127.0.0.1', port: listener.port, tls: {} })
  await t.throwsAsync(dialled, { code: 'ERR_SESSION_TLS' })
})

test('TLS: a client that has no certificate, or none that is trusted, is told so behind the handshake', async (t) => {
  const served: Transport[] = []
  const listener = await listening(t, { ...pem, ca: pem.cert, verify: true }, (transport) => {
    served.push(transport)
    transport.write(Uint8Array.of(7))
    transport.end()
  })
  const endpoint = { host: '127.0.0.1', port: listener.port }
  for (const tls of [{}, certificate()]) {
    const refused = await systemNetwork.dial({ ...endpoint, tls: { ...tls, ca: pem.cert } })
    const reader = new Reader(refused)
    // What the server never reads must not make another fault of it.
    refused.write(Uint8Array.of(1, 2, 3))
    t.is(((await reader.closed) as { code?: string } | undefined)?.code, 'ERR_SESSION_TLS')
  }
  t.is(served.length, 0)
  const known = new Reader(await systemNetwork.dial({ ...endpoint, tls: { ...pem, ca: pem.cert } }))
  t.is(await known.closed, undefined)
  t.deepEqual(known.bytes, [7])
})

test('TLS: an alert behind the handshake and a connection that is cut there are the same refusal', async (t) => {
  for (const refuse of ['alert', 'reset']) {
    const server = createTlsServer({ ...pem, ca: pem.cert, requestCert: refuse === 'alert', rejectUnauthorized: true })
    let accepted: Socket | undefined
    server.on('connection', (socket: Socket) => {
      accepted = socket
    })
    server.on('secureConnection', () => accepted?.resetAndDestroy())
    server.on('tlsClientError', () => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
    const { port } = server.address() as { port: number }
    const refused = await systemNetwork.dial({ host: '127.0.0.1', port, tls: { ca: pem.cert } })
    const reader = new Reader(refused)
    refused.write(Uint8Array.of(1))
    t.is(((await reader.closed) as { code?: string } | undefined)?.code, 'ERR_SESSION_TLS', refuse)
  }
})

async function listening(
  t: ExecutionContext,
  tls: TlsOptions,
  accept: (transport: Transport) => void,
): Promise<Listener> {
  const listener = await systemNetwork.listen({ host: '127.0.0.1', port: 0, tls }, accept)
  t.teardown(() => listener.close())
  return listener
}

for (const [name, make] of [
  ['memory', () => new MemoryNetwork()],
  ['UDP', () => systemNetwork],
] as [string, () => Network][]) {
  test(`${name}: datagrams of one turn arrive gathered, each with its length`, async (t) => {
    const network = make()
    const receiver = await network.datagrams({ host: '127.0.0.1' })
    const sender = await network.datagrams({
      host: '127.0.0.1',
      remote: { host: '127.0.0.1', port: receiver.localPort },
    })
    const got = new Reader(receiver)
    sender.start({ onChunk: () => {}, onClose: () => {} })
    sender.write([Uint8Array.of(1, 2, 3), new Uint8Array(0), new Uint8Array(300).fill(5)])
    await got.until(2 + 3 + 2 + 2 + 300)
    t.deepEqual(got.bytes.slice(0, 9), [3, 0, 1, 2, 3, 0, 0, 44, 1])
    t.throws(() => sender.write(new Uint8Array(65_508)), { code: 'ERR_SESSION_DATAGRAM_LENGTH' })
    receiver.close()
    sender.end()
    await got.closed
  })

  test(`${name}: a paused receiver keeps what fits and tells what does not`, async (t) => {
    const network = make()
    const receiver = await network.datagrams({ host: '127.0.0.1', queueBytes: 64 * 1024 })
    const sender = await network.datagrams({
      host: '127.0.0.1',
      remote: { host: '127.0.0.1', port: receiver.localPort },
    })
    let [dropped, droppedBytes, arrived] = [0, 0, 0]
    let wake = (): void => {}
    receiver.start({
      onChunk: (chunk) => {
        for (let at = 0; at < chunk.length; at += 1002) {
          t.is((chunk[at] as number) | ((chunk[at + 1] as number) << 8), 1000)
          arrived++
        }
        wake()
      },
      onClose: () => {},
      onDropped: (datagrams, bytes) => {
        dropped += datagrams
        droppedBytes += bytes
        wake()
      },
    })
    receiver.pause()
    const total = 200
    for (let n = 0; n < total; n++) {
      sender.write(new Uint8Array(1000))
      if (n % 10 === 9) await new Promise((resolve) => setImmediate(resolve))
    }
    while (receiver.bytesIn < total * 1000) await new Promise((resolve) => setImmediate(resolve))
    t.is(arrived, 0)
    receiver.resume()
    while (arrived + dropped < total) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    t.is(arrived, 130)
    t.is(droppedBytes, 70 * 1000)
    receiver.close()
    sender.close()
  })

  test(`${name}: only the peer's datagrams are taken`, async (t) => {
    const network = make()
    const peer = await network.datagrams({ host: '127.0.0.1' })
    const receiver = await network.datagrams({ host: '127.0.0.1', remote: { host: '127.0.0.1', port: peer.localPort } })
    const stranger = await network.datagrams({
      host: '127.0.0.1',
      remote: { host: '127.0.0.1', port: receiver.localPort },
    })
    const reply = await network.datagrams({ host: '127.0.0.1', remote: { host: '127.0.0.1', port: peer.localPort } })
    const atPeer = new Reader(peer)
    const got = new Reader(receiver)
    stranger.write(Uint8Array.of(66))
    receiver.write(Uint8Array.of(1))
    await atPeer.until(3)
    t.deepEqual(atPeer.bytes, [1, 0, 1])
    t.deepEqual(got.bytes, [])
    for (const socket of [peer, receiver, stranger, reply]) socket.close()
  })
}

test('UDP: nobody at the other end is no end', async (t) => {
  const gone = await systemNetwork.datagrams({ host: '127.0.0.1' })
  const port = gone.localPort
  gone.close()
  const sender = await systemNetwork.datagrams({ host: '127.0.0.1', remote: { host: '127.0.0.1', port } })
  const reader = new Reader(sender)
  for (let n = 0; n < 5; n++) {
    await new Promise<void>((resolve) => sender.write(Uint8Array.of(1), resolve))
  }
  sender.end()
  t.is(await reader.closed, undefined)
})

test.serial('a reader of large chunks keeps the event loop awake for some turns, and no longer', async (t) => {
  const immediates = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Immediate').length
  const reader = new ReusedReader()
  const idle = immediates()
  reader.callback(64 * 1024 - 1)
  t.is(immediates(), idle)
  reader.callback(64 * 1024)
  reader.callback(64 * 1024)
  t.is(immediates(), idle + 1)
  let turns = 0
  for (; immediates() > idle && turns < 1000; turns++) await new Promise((resolve) => setImmediate(resolve))
  t.true(turns >= 31 && turns <= 33, `${turns}`)
})
