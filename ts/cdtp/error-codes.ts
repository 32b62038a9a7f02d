import { defineErrors } from '../session/errors.js'

/** The errors of Constellation. */
export const cdtpError = defineErrors('cdtp', {
  ERR_CDTP_BLOCK_LIMIT: ['limit', 'A record has more blocks than `maxBlocks`. Raise it if the sender is trusted.'],
  ERR_CDTP_BLOCK_TYPE: ['malformed', 'A block of a record is not binary.'],
  ERR_CDTP_COMMAND_REFUSED: ['protocol', 'A satellite refused a command; the text is its answer.'],
  ERR_CDTP_COMMAND_TIMEOUT: ['transport', 'A satellite did not answer a command in time.'],
  ERR_CDTP_INDEX_BYTES: ['usage', 'Memory that is no index of a message was given as one.'],
  ERR_CDTP_INTEGER_TYPE: ['malformed', 'Something else than an integer in range stands where one is due.'],
  ERR_CDTP_KEY_TYPE: ['malformed', 'A key of a map is not a string.'],
  ERR_CDTP_MESSAGE_FRAMES: ['malformed', 'A message has another number of frames than its protocol says.'],
  ERR_CDTP_MESSAGE_LENGTH: ['limit', 'A message is longer than `maxMessageBytes`, or no beacon of 42 bytes.'],
  ERR_CDTP_MESSAGE_ORDER: ['protocol', 'A BOR, DATA or EOR message came in a state that does not allow it.'],
  ERR_CDTP_MESSAGE_TRUNCATED: ['malformed', 'A message ends inside a value.'],
  ERR_CDTP_NAME_SYNTAX: [
    'usage',
    'A name has other characters than letters, digits and `_`, or a run id others than those and `-`.',
  ],
  ERR_CDTP_NUMBER_UNKNOWN: [
    'malformed',
    'A message type, service, level, verb or state that the protocol does not have.',
  ],
  ERR_CDTP_OPTION_INVALID: ['usage', 'An option of `measurand serve cdtp` has a value that it cannot have.'],
  ERR_CDTP_PROTOCOL_RETIRED: ['malformed', 'The sender speaks CDTP1, which constellationdaq 1.0.2 retired. Update it.'],
  ERR_CDTP_PROTOCOL_UNKNOWN: ['malformed', 'The message is of another protocol.'],
  ERR_CDTP_QUEUE_FULL: ['limit', 'A record was sent while the queue was full: wait for what `sendDataRecord` gives.'],
  ERR_CDTP_RECEIVE_TIMEOUT: ['protocol', 'A transmitter did not send its EOR in time; a substitute was given.'],
  ERR_CDTP_RECORD_COUNT: ['malformed', 'A BOR or EOR message has not exactly two records.'],
  ERR_CDTP_RECORD_FIELDS: ['malformed', 'A record is not an array of three.'],
  ERR_CDTP_SATELLITE_MISSING: ['transport', 'A satellite was not found in the group in time.'],
  ERR_CDTP_SEND_TIMEOUT: ['transport', 'Nobody took a message in time: is a receiver connected, and does it keep up?'],
  ERR_CDTP_STATE_WRONG: ['usage', 'The call is not allowed in this state.'],
  ERR_CDTP_STRING_UTF8: ['malformed', 'A string is not UTF-8.'],
  ERR_CDTP_TRANSITION_FAILED: ['protocol', 'A satellite went to another state than the one it was sent to.'],
  ERR_CDTP_VALUE_DEPTH: ['limit', 'Values are nested deeper than 32.'],
  ERR_CDTP_VALUE_PORTABLE: [
    'usage',
    'The C++ framework does not read this value; `portable: false` writes it all the same.',
  ],
  ERR_CDTP_VALUE_TYPE: ['malformed', 'A value of another type stands where one is due.'],
  ERR_CDTP_VALUE_UNSUPPORTED: ['usage', 'The value has no MessagePack form.'],
})
