import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import {
  createJail,
  defineStream,
  deleteJail,
  describeStream,
  getSchemaVersionsVector,
  publish,
  type Remote,
  ReplyError,
  rotateClientJwtPublicKey,
  StreamSeaClient,
  type Subscription,
} from '../../../ts/stream-sea/index.js'
import { CLIENT, expectEqual, type HttpEvent, type TextEvent, type Vector, within } from './vector.js'

/** A server that does what the recording says and keeps what our client sends. */
class Script {
  readonly http: Server
  readonly sockets: WebSocket[] = []
  readonly texts: string[][] = []
  #response: HttpEvent['response'] = { status: 500, json: {} }
  #request: Promise<{ request: IncomingMessage; body: string }> | undefined
  #wake: () => void = () => {}

  constructor() {
    this.http = createServer()
    new WebSocketServer({ server: this.http, path: '/api/v1/streams' }).on('connection', (socket) => {
      const texts: string[] = []
      this.sockets.push(socket)
      this.texts.push(texts)
      socket.on('message', (data) => {
        texts.push(String(data))
        this.#wake()
      })
      this.#wake()
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.http.listen(0, '127.0.0.1', resolve))
    return (this.http.address() as AddressInfo).port
  }

  /** Answers the next request as recorded; resolves to it. */
  answer(response: HttpEvent['response']): Promise<{ request: IncomingMessage; body: string }> {
    this.#response = response
    this.#request = new Promise((resolve) => {
      this.http.once('request', (request: IncomingMessage, reply) => {
        const parts: Buffer[] = []
        request.on('data', (part: Buffer) => parts.push(part))
        request.on('end', () => {
          reply.writeHead(this.#response.status, { 'content-type': 'application/json' })
          reply.end(JSON.stringify(this.#response.json))
          resolve({ request, body: Buffer.concat(parts).toString() })
        })
      })
    })
    return this.#request
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.terminate()
    this.http.closeAllConnections()
    await new Promise((resolve) => this.http.close(resolve))
  }

  async until(met: () => boolean): Promise<void> {
    while (!met()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** Makes the calls of the recording with our client, and compares what it sends and what its caller gets. */
export async function judgeClient(vector: Vector): Promise<void> {
  const isRecorded = vector.events.length > 0 || vector.clientSaw?.some(({ raised }) => raised !== undefined)
  if (!isRecorded) throw new Error('nothing was recorded, and the client did not raise')
  const script = new Script()
  const remotePort = await script.listen()
  if (vector.events.length === 0) {
    await publishes(script, remotePort).finally(() => script.close())
    return
  }
  const clients = new Map<number, StreamSeaClient>()
  const subscriptions: Subscription[] = []
  const expected: unknown[] = []
  let pending: Promise<unknown> = Promise.resolve()
  let dropped = false
  try {
    for (const event of vector.events) {
      if (event.kind === 'http') await call(script, remotePort, event)
      else if (event.kind === 'ws-open') {
        if (!dropped) {
          const client = clientOf(vector, event.conn, remotePort)
          clients.set(event.conn, client)
          pending = client.connect()
          pending.catch(() => undefined)
        } else clients.set(event.conn, clients.get(event.conn - 1) as StreamSeaClient)
        await within(
          'a connection',
          script.until(() => script.sockets.length >= event.conn),
        )
      } else if (event.kind === 'ws-recv') {
        const message = JSON.parse(event.text)
        const texts = script.texts[(event.conn as number) - 1] as string[]
        const client = clients.get(event.conn as number) as StreamSeaClient
        if (message.action === 'subscribe' && !dropped) {
          const stream = String(message.payload)
          const subscribing = client.subscribe({ stream, fanout: message.groupId !== undefined })
          subscribing.then((subscription) => subscriptions.push(subscription)).catch(() => undefined)
          pending = subscribing
        }
        await within(
          'a message',
          script.until(() => texts.length >= message.id),
        )
        expectEqual('a message', loose(JSON.parse(texts[message.id - 1] as string)), loose(message))
      } else if (event.kind === 'ws-send') {
        const reply = JSON.parse(event.text)
        script.sockets[script.sockets.length - 1]?.send(event.text)
        if (reply.success === undefined) expected.push(reply.payload)
        else if (reply.success) await within('the reply', pending)
        else await refused(pending, reply.action)
      } else if (event.kind === 'ws-ping') {
        const socket = script.sockets[event.conn - 1] as WebSocket
        const pong = new Promise((resolve) => socket.once('pong', resolve))
        socket.ping()
        await within('the pong', pong)
      } else if (
        event.kind === 'ws-close' &&
        vector.events.some((later) => later.kind === 'ws-open' && later.conn === event.conn + 1 && event.code === 1012)
      ) {
        dropped = true
        script.sockets[event.conn - 1]?.close(1012)
      }
    }
    const received: unknown[] = []
    for (const subscription of subscriptions) {
      if (received.length === expected.length) break
      const reading = (async () => {
        for await (const { payload } of subscription.messages()) if (received.push(payload) === expected.length) break
      })()
      await within('all messages', reading)
    }
    expectEqual('what the caller gets', received, expected)
  } finally {
    await Promise.all([...clients.values()].map((client) => client.close()))
    await script.close()
  }
}

/** Where the recorded client raised before it sent anything, the same call of ours publishes. */
async function publishes(script: Script, remotePort: number): Promise<void> {
  const payload = { temperature: 91.5 }
  const seen = script.answer({ status: 200, json: { success: true } })
  const { clientId, clientSecret } = CLIENT
  const remote = { remoteHost: '127.0.0.1', remotePort, clientId, clientSecret }
  const done = publish({ ...remote, stream: 'boiler_data', payload })
  const { request, body } = await within('the publish', seen)
  expectEqual('path', request.url, '/api/v1/streams/boiler_data/publish')
  expectEqual('body', JSON.parse(body), { payload })
  expectEqual('what the caller gets', await done, { success: true })
}

function clientOf({ events }: Vector, conn: number, remotePort: number): StreamSeaClient {
  const first = events.find((event): event is TextEvent => event.kind === 'ws-recv' && event.conn === conn) as TextEvent
  const { type: _, ...credentials } = JSON.parse(first.text).payload
  return new StreamSeaClient({ remoteHost: '127.0.0.1', remotePort, reconnect: { minDelay: 5 }, ...credentials })
}

/** A stream name that is none (the recording has a number there) is sent as text by our client. */
function loose(message: Record<string, unknown>): unknown {
  return message['action'] === 'subscribe' ? { ...message, payload: String(message['payload']) } : message
}

async function refused(pending: Promise<unknown>, action: string): Promise<void> {
  const code = action === 'authenticate' ? 'ERR_STREAMSEA_AUTHENTICATION_REFUSED' : 'ERR_STREAMSEA_SUBSCRIPTION_REFUSED'
  const error = await within(
    'the refusal',
    pending.then(
      () => undefined,
      (error: { code: string }) => error,
    ),
  )
  expectEqual('the code of the refusal', error?.code, code)
}

/** The call whose request was recorded. */
async function call(script: Script, remotePort: number, { request: recorded, response }: HttpEvent): Promise<void> {
  const header = (name: string) => recorded.rawHeaders.find(([key]) => key.toLowerCase() === name)?.[1]
  const [clientId = '', clientSecret = ''] = Buffer.from(header('authorization')?.slice(6) ?? '', 'base64')
    .toString()
    .split(':')
  const remote: Remote = { remoteHost: '127.0.0.1', remotePort, clientId, clientSecret }
  const seen = script.answer(response)
  const done = dispatch(remote, recorded)
  const { request, body } = await within(`${recorded.method} ${recorded.path}`, seen)
  const name = recorded.path.includes('?') ? recorded.path.replace('/c?d', '%2Fc%3Fd') : recorded.path
  expectEqual('method', request.method, recorded.method)
  expectEqual('path', request.url, name)
  expectEqual('authorization', request.headers.authorization, header('authorization'))
  expectEqual('content type', request.headers['content-type'], header('content-type'))
  if (recorded.bodyJson !== undefined) {
    const { name: _, ...sent } = JSON.parse(body)
    const { name: __, ...wanted } = recorded.bodyJson
    expectEqual('body', sent, wanted)
  }
  const result = await done.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if (response.status === 200) {
    const value = 'value' in result ? result.value : result.error
    const { versionsVector, id, ...fields } = response.json as { versionsVector?: unknown; id?: unknown }
    const { id: _, ...given } = (Array.isArray(value) ? {} : value) as { id?: unknown }
    if (versionsVector !== undefined) expectEqual('what the caller gets', value, versionsVector)
    else if (Object.keys(fields).length > 0) expectEqual('what the caller gets', given, fields)
    else expectEqual('what the caller gets', value, { id })
  } else if (response.status === 404 && recorded.method === 'GET')
    expectEqual('describe of nothing', result, { value: null })
  else {
    const error = 'error' in result ? (result.error as ReplyError) : undefined
    expectEqual(
      'the error',
      [error instanceof ReplyError, error?.status, error?.body],
      [true, response.status, response.json],
    )
  }
}

function dispatch(remote: Remote, { method, path, bodyJson: body = {} }: HttpEvent['request']): Promise<unknown> {
  const steps = path.split('/').slice(3)
  const verb = steps.at(-1)
  const stream = decodeURIComponent(steps.slice(1, -1).join('/'))
  if (verb === 'define') return defineStream({ ...remote, stream, schema: { name: stream, ...body } as never })
  if (verb === 'publish') return publish({ ...remote, stream, payload: body['payload'] })
  if (verb === 'schema') return describeStream({ ...remote, stream })
  if (verb === 'schema-versions-vector')
    return getSchemaVersionsVector({ ...remote, streams: body['schemaNames'] as string[] })
  if (verb === 'jwt-public-key')
    return rotateClientJwtPublicKey({ ...remote, jwtPublicKey: body['jwtPublicKey'] as string })
  if (method === 'DELETE') return deleteJail({ ...remote, targetJailId: String(verb) })
  const [targetJailId, targetJailName, targetClientId] = ['newJailId', 'newJailName', 'newClientId'].map((key) =>
    String(body[key]),
  )
  return createJail({ ...remote, targetJailId, targetJailName, targetClientId } as Parameters<typeof createJail>[0])
}
