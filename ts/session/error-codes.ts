import { defineErrors } from './errors.js'

/** Makes the errors of the session frame. */
export const sessionError = defineErrors('session', {
  ERR_SESSION_ABORTED: ['usage', 'The caller aborted by its `AbortSignal`. Nothing to do.'],
  ERR_SESSION_ADDRESS_IN_USE: [
    'transport',
    'Somebody listens there already. Choose another port, or 0 for a free one.',
  ],
  ERR_SESSION_ADDRESS_UNKNOWN: [
    'transport',
    'The host name does not resolve. Check the spelling and the name service.',
  ],
  ERR_SESSION_BLOCK_BYTES: [
    'usage',
    'A buffer is too small or not aligned for the block that it should be. Make blocks by `Block`.',
  ],
  ERR_SESSION_BLOCK_COLUMNS: ['usage', 'A block lacks a column that its decoder fills. Give `Block` that column.'],
  ERR_SESSION_CAPTURE_FORMAT: [
    'malformed',
    'The file is no raw capture, or is cut; the items before were read. Capture again.',
  ],
  ERR_SESSION_CLOSED: ['usage', 'A closed session was used. Make a new one.'],
  ERR_SESSION_CODEC_POISONED: [
    'protocol',
    'The decoder lost its framing or panicked before. Make a new session; report the bytes if it panicked.',
  ],
  ERR_SESSION_CONNECT_FAILED: ['transport', 'No connection came about; `cause` says why.'],
  ERR_SESSION_CONNECT_REFUSED: ['transport', 'Nobody listens there. Start the peer, or let `wait` try for a while.'],
  ERR_SESSION_CONNECT_TIMEOUT: ['transport', 'The peer did not answer in time. Check the address and the firewall.'],
  ERR_SESSION_CONNECTION_LOST: ['transport', 'The connection broke; `cause` says why. The gap is in the ledger.'],
  ERR_SESSION_CONSUMER_SECOND: [
    'usage',
    'A session has one consumer: a loop or a function, never both. Copy batches to share them.',
  ],
  ERR_SESSION_DATAGRAM_LENGTH: ['limit', 'A datagram of more than 65,507 bytes cannot be sent. Send less at once.'],
  ERR_SESSION_NOT_CONNECTED: [
    'usage',
    'The session has no connection now. Await `connect`, or the status `connected`.',
  ],
  ERR_SESSION_OPTION_INVALID: ['usage', 'An option has a value that it cannot have; the text names it.'],
  ERR_SESSION_QUEUE_FULL: [
    'limit',
    'The queue reached its bytes under the policy `disconnect`. Read faster, or choose another policy.',
  ],
  ERR_SESSION_SPILL_UNREADABLE: [
    'storage',
    'The file in which batches waited cannot be read; `cause` says why. Check the disk under `--spill`.',
  ],
  ERR_SESSION_STARTED: ['usage', 'The session was connected or listening already. Make a new one.'],
  ERR_SESSION_TIMEOUT: ['transport', 'The peer was silent for longer than the option allows.'],
  ERR_SESSION_TLS: [
    'transport',
    'The secure connection was refused by one side; `cause` says why. Check certificate, key and authority.',
  ],
  ERR_SESSION_TRANSPORT_MISSING: [
    'usage',
    'A package that carries this system is not installed; the text has the command.',
  ],
})
