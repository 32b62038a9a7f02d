import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { SimulatedClock, systemClock } from '../../../ts/session/index.js'
import { StreamSeaServer } from '../../../ts/stream-sea/index.js'
import { CLIENT, expectEqual, type HttpEvent, type TextEvent, type Vector, within } from './vector.js'

/** ms of the server's clock, which stands still between the recorded pings. */
const PING_INTERVAL = 1000

/** A recorded client's end of a WebSocket: sends its texts, keeps what comes. */
class Peer {
  readonly socket: WebSocket
  readonly texts: string[] = []
  #wake: () => void = () => {}

  constructor(port: number) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/streams`)
    this.socket.on('message', (data) => {
      this.texts.push(String(data))
      this.#wake()
    })
  }

  async opened(): Promise<void> {
    await new Promise((resolve, reject) => this.socket.once('open', resolve).once('error', reject))
  }

  /** The server has sent a ping. */
  async pinged(): Promise<void> {
    await new Promise((resolve) => this.socket.once('ping', resolve))
  }

  /** The server has heard everything that was sent, the answers to its pings too. */
  async answered(): Promise<void> {
    if (this.socket.readyState !== WebSocket.OPEN) return
    const pong = new Promise((resolve) => this.socket.once('pong', resolve))
    this.socket.ping()
    await pong
  }

  async count(count: number): Promise<void> {
    while (this.texts.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

/** Replays what the real client sent, byte for byte, and compares what our server answers. */
export async function judgeServer(vector: Vector): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'stream-sea-'))
  const clock = new SimulatedClock(systemClock.now())
  const server = await StreamSeaServer.open({ data, clock, pingInterval: PING_INTERVAL })
  const peers = new Map<number, Peer>()
  try {
    await server.addClient(CLIENT.jail, CLIENT.clientId, { secret: CLIENT.clientSecret })
    const [, port] = await server.listen(0)
    for (const event of vector.events) {
      if (event.kind === 'http') await replay(port, event)
      else if (event.kind === 'ws-open') {
        const peer = new Peer(port)
        await within('the handshake', peer.opened())
        peers.set(event.conn, peer)
      } else if (event.kind === 'ws-recv') {
        const peer = peers.get(event.conn as number) as Peer
        const before = peer.texts.length
        peer.socket.send(event.text)
        await within(`the reply to ${event.text.slice(0, 40)}`, peer.count(before + 1))
      } else if (event.kind === 'ws-ping') {
        const pinged = (peers.get(event.conn) as Peer).pinged()
        await clock.advance(PING_INTERVAL)
        await within('a ping', pinged)
        // Who has not answered by the next one is let go.
        await within('the answers to the ping', Promise.all([...peers.values()].map((peer) => peer.answered())))
      } else if (event.kind === 'ws-close') peers.get(event.conn)?.socket.close()
    }
    for (const [conn, peer] of peers) {
      const sent = vector.events.filter(
        (event): event is TextEvent => event.kind === 'ws-send' && (event.conn === conn || event.conn === 'all'),
      )
      await within('all messages', peer.count(sent.length))
      expectEqual(
        `messages on connection ${conn}`,
        peer.texts.map(shape),
        sent.map(({ text }) => shape(text)),
      )
    }
  } finally {
    for (const { socket } of peers.values()) socket.terminate()
    await server.close()
    await rm(data, { recursive: true })
  }
}

/** What the clients demand of a message: texts of errors are free, and replies to `subscribe` say `subscription`. */
function shape(text: string): unknown {
  const message = JSON.parse(text)
  if (message.action === 'subscribe') message.action = 'subscription'
  if (message.error !== undefined) message.error = { message: typeof message.error.message }
  return message
}

function replay(port: number, { request: recorded, response: expected }: HttpEvent): Promise<void> {
  const body = Buffer.from(recorded.bodyBase64, 'base64')
  const headers = recorded.rawHeaders.flat()
  const { method, path } = recorded
  return within(
    `${method} ${path}`,
    new Promise((resolve, reject) => {
      const sent = request(
        { port, host: '127.0.0.1', method, path, agent: false, headers: headers as never },
        (response) => {
          const parts: Buffer[] = []
          response.on('data', (part: Buffer) => parts.push(part))
          response.on('end', () => {
            try {
              expectEqual(`status of ${method} ${path}`, response.statusCode, expected.status)
              expectEqual('content type', response.headers['content-type'], 'application/json')
              expectEqual(`body of ${method} ${path}`, JSON.parse(Buffer.concat(parts).toString()), expected.json)
              resolve()
            } catch (error) {
              reject(error)
            }
          })
        },
      )
      sent.on('error', reject)
      sent.end(body)
    }),
  )
}
