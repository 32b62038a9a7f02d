import { createServer, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { HttpReplyReader } from '../../ts/stream-sea/http-reply.js'
import { describeStream, publish } from '../../ts/stream-sea/index.js'

const text = (head: string, body = '') => Buffer.from(`${head.replaceAll('\n', '\r\n')}\r\n\r\n${body}`)

test('answers are read however their bytes come', (t) => {
  const answers: [Buffer, number, string, boolean][] = [
    [text('HTTP/1.1 200 OK\nContent-Length: 5', 'héll'), 200, 'héll', true],
    [text('HTTP/1.1 404 Not Found\ncontent-length: 0\nconnection: close'), 404, '', false],
    [
      text(
        'HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\ntransfer-encoding: chunked',
        '3\r\nabc\r\n2;x=y\r\nde\r\n0\r\na: b\r\n\r\n',
      ),
      200,
      'abcde',
      true,
    ],
    [text('HTTP/1.1 204 No Content'), 204, '', true],
    [text('HTTP/1.0 200 OK\ncontent-length: 2', 'ab'), 200, 'ab', false],
  ]
  for (const [bytes, status, body, isReusable] of answers) {
    for (const piece of [1, 3, 1000]) {
      const reader = new HttpReplyReader(1000)
      let reply: ReturnType<HttpReplyReader['take']>
      for (let at = 0; at < bytes.length; at += piece) {
        t.is(reply, undefined)
        reply = reader.take(bytes.subarray(at, at + piece))
      }
      t.like(reply, { status, isReusable })
      t.is(reply?.body.toString(), body)
      t.true(reader.isIdle)
    }
  }
  const endless = new HttpReplyReader(1000)
  t.is(endless.take(text('HTTP/1.1 200 OK', 'to the end')), undefined)
  t.like(endless.end(), { status: 200, isReusable: false })
  t.is(new HttpReplyReader(10).take(text('HTTP/1.1 200 OK\nkeep-alive: timeout=7\ncontent-length: 0'))?.keepFor, 7000)
})

test('what is no answer, or too long, is refused', (t) => {
  const take = (bytes: Buffer) => () => new HttpReplyReader(10).take(bytes)
  const invalid = [
    text('SSH-2.0-x'),
    text('HTTP/1.1 101 Switching Protocols'),
    text('HTTP/1.1 200 OK\ncontent-length: -1'),
    text('HTTP/1.1 200 OK\ncontent-length: 1\ncontent-length: 2'),
    text('HTTP/1.1 200 OK\ncontent-length: 1\ntransfer-encoding: chunked'),
    text('HTTP/1.1 200 OK\ntransfer-encoding: gzip'),
    text('HTTP/1.1 200 OK\ntransfer-encoding: chunked', 'x\r\n'),
    text('HTTP/1.1 200 OK\ntransfer-encoding: chunked', '1\r\nab\r\n'),
    Buffer.alloc(20_000, 'a'),
  ]
  for (const bytes of invalid)
    t.throws(take(bytes), { code: 'ERR_STREAMSEA_REPLY_INVALID' }, String(bytes).slice(0, 60))
  const long = [
    text('HTTP/1.1 200 OK\ncontent-length: 11'),
    text('HTTP/1.1 200 OK\ntransfer-encoding: chunked', 'b\r\n12345678901\r\n'),
    text('HTTP/1.1 200 OK', '12345678901'),
  ]
  for (const bytes of long) t.throws(take(bytes), { code: 'ERR_STREAMSEA_BODY_LENGTH' })
})

/** A server that does with each request, of each connection, what it is told. */
async function script(t: ExecutionContext, answer: (socket: Socket, request: number, connection: number) => void) {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    const connection = sockets.push(socket)
    let request = 0
    socket.on('data', () => answer(socket, ++request, connection))
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return {
    sockets,
    remote: { remoteHost: '127.0.0.1', remotePort: port, clientId: 'a', clientSecret: 'b', stream: 's' },
  }
}

const OK = text('HTTP/1.1 200 OK\ncontent-length: 2', '{}')

test('a connection is used again, but not one that the server ends', async (t) => {
  const { sockets, remote } = await script(t, (socket, request, connection) => {
    socket.write(
      connection === 1 && request === 3 ? text('HTTP/1.1 200 OK\ncontent-length: 2\nconnection: close', '{}') : OK,
    )
  })
  for (let at = 0; at < 5; at++) t.deepEqual(await publish({ ...remote, payload: at }), {})
  t.is(sockets.length, 2)
  // Many at a time: no more connections than 64, and everybody is served.
  await Promise.all(Array.from({ length: 200 }, (_, at) => publish({ ...remote, payload: at })))
  t.true(sockets.length <= 66)
})

test('a server that closes, is silent, or talks without being asked', async (t) => {
  const closing = await script(t, (socket) => socket.end())
  await t.throwsAsync(publish({ ...closing.remote, payload: 1 }), { code: 'ERR_SESSION_CONNECTION_LOST' })
  const silent = await script(t, () => undefined)
  await t.throwsAsync(publish({ ...silent.remote, payload: 1, timeout: 50 }), { code: 'ERR_SESSION_TIMEOUT' })
  const abort = new AbortController()
  const waiting = publish({ ...silent.remote, payload: 1, signal: abort.signal })
  abort.abort()
  await t.throwsAsync(waiting, { code: 'ERR_SESSION_ABORTED' })
  await t.throwsAsync(publish({ ...silent.remote, payload: 1, signal: AbortSignal.abort() }), {
    code: 'ERR_SESSION_ABORTED',
  })
  const talking = await script(t, (socket) => socket.write(Buffer.concat([OK, OK])))
  t.deepEqual(await publish({ ...talking.remote, payload: 1 }), {})
  t.deepEqual(await publish({ ...talking.remote, payload: 1 }), {})
  t.is(talking.sockets.length, 2)
})

test('nothing but a request goes into a request', async (t) => {
  const { remote } = await script(t, (socket) => socket.write(OK))
  const code = 'ERR_STREAMSEA_OPTION_INVALID'
  await t.throwsAsync(publish({ ...remote, payload: 1, idempotencyKey: 'a\r\nx: y' }), { code })
  await t.throwsAsync(publish({ ...remote, remotePort: 'x', payload: 1 }), { code })
  await t.throwsAsync(describeStream({ ...remote, remoteHost: 'a\r\nb' }), { code })
})
