import { defineErrors } from '../session/index.js'

/** Makes the errors of STTP. */
export const sttpError = defineErrors('sttp', {
  ERR_STTP_ADDRESS_INVALID: ['usage', 'The address is not `host:port`. Correct it.'],
  ERR_STTP_ANSWER_TIMEOUT: [
    'protocol',
    'The publisher did not answer a command in time. Check that it speaks STTP, or raise `answerTimeout`.',
  ],
  ERR_STTP_CACHE_GZIP: ['malformed', 'A signal index cache is compressed and damaged. Subscribe again.'],
  ERR_STTP_CACHE_LIMIT: ['limit', 'A signal index cache is larger than `cacheBytes` allows. Raise it if it may be.'],
  ERR_STTP_CACHE_MALFORMED: ['malformed', 'A signal index cache cannot be read; the text says where. Subscribe again.'],
  ERR_STTP_CACHE_ROWS: ['usage', 'There are not as many rows as the newest cache has records.'],
  ERR_STTP_CIPHER_KEY: ['usage', 'A cipher key is none of AES-256: 32 bytes, and 16 of its initialisation vector.'],
  ERR_STTP_COMMAND_FIELD: ['usage', 'A command lacks what it has to carry; the text names it.'],
  ERR_STTP_COMMAND_LENGTH: ['malformed', 'A subscriber sent a command that is too short.'],
  ERR_STTP_COMMAND_TEXT: ['malformed', 'A subscriber sent a text that is not UTF-8. Let it ask for UTF-8.'],
  ERR_STTP_COMPACT_TRUNCATED: ['malformed', 'A packet has fewer compact measurements than it says.'],
  ERR_STTP_CONNECTION_CLOSED: ['transport', 'The publisher closed the connection before it had answered.'],
  ERR_STTP_DATAGRAM_RESPONSE: [
    'malformed',
    'A datagram carries what only the command channel may. Somebody else may be sending to the port.',
  ],
  ERR_STTP_DATA_SET_CELL: [
    'malformed',
    "A value of the metadata is not of its column's type; the text says where. Correct the metadata.",
  ],
  ERR_STTP_DATA_SET_COLUMN: ['usage', 'The table has no such column. Check the name.'],
  ERR_STTP_DATA_SET_LIMIT: ['limit', 'The metadata are larger than the option allows. Raise the limit if they may be.'],
  ERR_STTP_DATA_SET_TABLE: ['usage', 'The data set has no such table. Check the name.'],
  ERR_STTP_DATA_SET_TRUNCATED: ['malformed', 'The metadata end too early. Ask for them again.'],
  ERR_STTP_DATA_SET_WRITE: ['usage', 'A name or text has no form in XML; the text says which. Change it.'],
  ERR_STTP_DATA_SET_XML: ['malformed', 'The metadata are not well-formed XML or gzip; the text says where.'],
  ERR_STTP_DECODE_OPTION: ['usage', 'An option of `decode sttp` has a value that it cannot have; the text names it.'],
  ERR_STTP_FILTER_EXPRESSION: [
    'usage',
    'The filter expression is wrong; the text says in which line and column. Correct the expression.',
  ],
  ERR_STTP_FRAME_LENGTH: [
    'limit',
    'A frame says that it is longer than the limit of its kind. Check that the peer speaks STTP; raise the limit if so.',
  ],
  ERR_STTP_FRAME_TRUNCATED: ['malformed', 'The bytes end within a frame.'],
  ERR_STTP_MESSAGE_LENGTH: ['malformed', 'A message is too short to be what it says.'],
  ERR_STTP_MODES_REFUSED: [
    'protocol',
    'The publisher refuses protocol version 2 or the connection; the text says why.',
  ],
  ERR_STTP_PACKET_CIPHER: [
    'malformed',
    'A packet cannot be decrypted by the keys that the publisher has sent. Ask for new ones by `rotateCipherKeys`.',
  ],
  ERR_STTP_PACKET_COUNT: ['malformed', 'A packet has fewer measurements than it says.'],
  ERR_STTP_PACKET_ENCRYPTED: ['protocol', 'A packet is encrypted and there is no key for it.'],
  ERR_STTP_PACKET_FLAGS: ['malformed', "A packet's flags name no format of measurements."],
  ERR_STTP_PUBLISHER_SILENT: ['transport', 'Not even a keep-alive came for longer than `silence` allows.'],
  ERR_STTP_RESPONSE_FIELD: ['usage', 'A response lacks what it has to carry; the text names it.'],
  ERR_STTP_SUBSCRIBER_DISCONNECTED: ['usage', 'There is no connection now. Await `connect`.'],
  ERR_STTP_SUBSCRIPTION_OPTION: ['usage', 'A setting of the subscription has a value that it cannot have.'],
  ERR_STTP_SUBSCRIPTION_REFUSED: [
    'protocol',
    'The publisher refuses the subscription; the text says why. Correct the filter or the settings.',
  ],
  ERR_STTP_SUBSCRIPTION_SETTING: [
    'malformed',
    'A subscriber sent a setting that cannot be understood; the text names it.',
  ],
  ERR_STTP_TSSC_CODE: ['malformed', 'A compressed packet is damaged: a code stands where it cannot.'],
  ERR_STTP_TSSC_LIMIT: ['limit', 'A compressed packet is too long, or names more signals than the decoder keeps.'],
  ERR_STTP_TSSC_LOST: [
    'protocol',
    'The compression was lost and the publisher does not start it anew, so the connection is made anew.',
  ],
  ERR_STTP_TSSC_TRUNCATED: ['malformed', 'A compressed packet ends within a measurement.'],
  ERR_STTP_TSSC_VERSION: ['protocol', 'The publisher compresses by a version of TSSC that is not known.'],
  ERR_STTP_SIGNAL_ID: ['usage', 'The id of a signal is no GUID. Use GUIDs as ids of what is published by STTP.'],
  ERR_STTP_OPTION_INVALID: ['usage', 'An option has a value that it cannot have; the text names it.'],
})
