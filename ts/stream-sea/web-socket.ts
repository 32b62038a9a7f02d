import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { sessionError } from '../session/error-codes.js'
import { streamSeaError } from './error-codes.js'
import { asTransportError, type Remote, secureOptions } from './remote.js'

const ACCEPT = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Opens the WebSocket of a server; gives its socket and the first bytes behind the handshake. */
export function openWebSocket(
  remote: Pick<Remote, 'remoteHost' | 'remotePort' | 'secure' | 'tls' | 'signal'>,
  timeout: number,
): Promise<[Socket, Buffer]> {
  return new Promise((resolve, reject) => {
    const key = randomBytes(16).toString('base64')
    const options: RequestOptions = {
      host: remote.remoteHost,
      port: remote.remotePort,
      path: '/api/v1/streams',
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': key,
      },
      agent: false,
      ...(remote.secure ? secureOptions(remote) : {}),
      ...(remote.signal === undefined ? {} : { signal: remote.signal }),
    }
    const request = (remote.secure ? httpsRequest : httpRequest)(options)
    const timer = setTimeout(() => {
      request.destroy(sessionError('ERR_SESSION_CONNECT_TIMEOUT', `no WebSocket within ${timeout} ms`))
    }, timeout)
    request.on('error', (error) => {
      clearTimeout(timer)
      reject(asTransportError(error))
    })
    request.on('response', (response) => {
      clearTimeout(timer)
      request.destroy()
      reject(streamSeaError('ERR_STREAMSEA_HANDSHAKE_REFUSED', `the server answers ${response.statusCode}`))
    })
    request.on('upgrade', (response, socket: Socket, head: Buffer) => {
      clearTimeout(timer)
      const accept = createHash('sha1').update(`${key}${ACCEPT}`).digest('base64')
      const { headers } = response
      const strange = headers['sec-websocket-extensions'] ?? headers['sec-websocket-protocol']
      if (headers['sec-websocket-accept'] !== accept || strange !== undefined) {
        socket.destroy()
        reject(streamSeaError('ERR_STREAMSEA_HANDSHAKE_REFUSED', 'the handshake of the server is wrong'))
        return
      }
      socket.setNoDelay(true)
      socket.setTimeout(0)
      resolve([socket, head])
    })
    request.end()
  })
}

/** A frame of a client: masked, as the protocol wants it. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload
  const header = length < 126 ? 6 : length < 0x10000 ? 8 : 14
  const frame = Buffer.allocUnsafe(header + length)
  frame[0] = 0x80 | opcode
  if (header === 6) frame[1] = 0x80 | length
  else if (header === 8) {
    frame[1] = 0x80 | 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 0x80 | 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  const mask = masks()
  frame.set(mask, header - 4)
  for (let at = 0; at < length; at++) frame[header + at] = (payload[at] as number) ^ (mask[at & 3] as number)
  return frame
}

let pool = Buffer.alloc(0)
let used = 0

/** Four unpredictable bytes. */
function masks(): Buffer {
  if (used + 4 > pool.length) {
    pool = randomBytes(8192)
    used = 0
  }
  used += 4
  return pool.subarray(used - 4, used)
}
