import type { StatusStream } from '../session/status.js'
import type { Logger } from './logger.js'
import type { Zmq } from './zeromq.js'

/**
 * Tells who comes and goes at a PUSH socket, which deals messages out in turn: a second receiver takes every other
 * message from the first.
 */
export function watchPeers(socket: Zmq.Push, name: string, status: StatusStream, logger?: Logger): void {
  let peers = 0
  /** Connections that were no receiver's, and whose end is to come. */
  let strangers = 0
  const isStranger = (): void => void strangers++
  socket.events.on('handshake:error:other', isStranger)
  socket.events.on('handshake:error:protocol', isStranger)
  socket.events.on('handshake', () => {
    status.emit('peer-joined', { peers: ++peers })
    if (peers < 2) return
    logger?.log(
      'WARNING',
      `${peers} receivers are connected to ${name}, which can serve one: each gets a part of the run`,
    )
    status.emit('second-receiver', { peers })
  })
  socket.events.on('disconnect', () => {
    if (strangers > 0) strangers--
    else status.emit('peer-left', { peers: --peers })
  })
}
