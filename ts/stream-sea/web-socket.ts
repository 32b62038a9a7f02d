import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { CAPTURE_KIND } from '../session/capture.js'
import { sessionError } from '../session/error-codes.js'
import { streamSeaError } from './error-codes.js'
import { headText } from './http-reply.js'
import { asTransportError, type Remote, secureOptions } from './remote.js'

/** What a key is hashed with to be accepted. */
export const ACCEPT = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Opens the WebSocket of a server; gives its socket and the first bytes behind the handshake. */
export function openWebSocket(
  remote: Pick<Remote, 'remoteHost' | 'remotePort' | 'secure' | 'tls' | 'signal' | 'observe'>,
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
    const { observe } = remote
    const tell = (direction: 'received' | 'sent', line: string, headers: readonly string[]): void =>
      observe?.(direction, CAPTURE_KIND.httpHead, Buffer.from(headText(line, headers), 'latin1'))
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
      const names = request.getRawHeaderNames()
      tell(
        'sent',
        'GET /api/v1/streams HTTP/1.1',
        names.flatMap((name) => [name, String(request.getHeader(name))]),
      )
      tell('received', `HTTP/1.1 ${response.statusCode} ${response.statusMessage}`, response.rawHeaders)
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
