import { ProtocolError, TransportError } from '../session/errors.js'

/** A message was not taken in time: nobody is connected, or the receiver does not keep up. */
export class SendTimeoutError extends TransportError {
  /** `BOR`, `DATA message` or `EOR`. */
  readonly what: string
  /** Seconds. */
  readonly timeout: number

  constructor(what: string, timeout: number) {
    super('ERR_CDTP_SEND_TIMEOUT', `Failed sending ${what} after ${timeout}s`, 'cdtp')
    this.what = what
    this.timeout = timeout
  }
}

/** A message did not come in time. */
export class RecvTimeoutError extends ProtocolError {
  readonly what: string
  /** Seconds. */
  readonly timeout: number

  constructor(what: string, timeout: number) {
    super('ERR_CDTP_RECEIVE_TIMEOUT', `Failed receiving ${what} after ${timeout}s`, 'cdtp')
    this.what = what
    this.timeout = timeout
  }
}

/** A message came in a state that does not allow it. */
export class InvalidCDTPMessageType extends ProtocolError {
  /** `DATA`, `BOR` or `EOR`. */
  readonly type: string
  readonly reason: string

  constructor(type: string, reason: string) {
    super('ERR_CDTP_MESSAGE_ORDER', `Error handling CDTP message with type ${type}: ${reason}`, 'cdtp')
    this.type = type
    this.reason = reason
  }
}
