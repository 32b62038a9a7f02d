import { defineErrors } from '../session/errors.js'

/** Makes the errors of stream-sea. */
export const streamSeaError = defineErrors('stream-sea', {
  ERR_STREAMSEA_AUTHENTICATION_REFUSED: [
    'protocol',
    'The server does not know the client, its secret or its token. Nothing is sent again; check the credentials.',
  ],
  ERR_STREAMSEA_BATCH_LARGE: ['limit', 'A batch holds more bytes than offsets can name. Publish less at once.'],
  ERR_STREAMSEA_BODY_LENGTH: [
    'limit',
    'A reply or request body is longer than `maxBodyBytes`. Raise it if the peer is trusted.',
  ],
  ERR_STREAMSEA_FRAME_INVALID: ['malformed', 'The peer breaks the framing of WebSocket. The connection is given up.'],
  ERR_STREAMSEA_HANDSHAKE_REFUSED: [
    'protocol',
    'The server does not open a WebSocket under `/api/v1/streams`. Check host, port and `secure`.',
  ],
  ERR_STREAMSEA_JSON_INVALID: ['malformed', 'A text is not JSON.'],
  ERR_STREAMSEA_JWT_INVALID: ['usage', 'A token is not one that the server could accept; the text says why.'],
  ERR_STREAMSEA_LOG_BUSY: ['storage', 'Another process has the log open. A data directory belongs to one server.'],
  ERR_STREAMSEA_LOG_CONFLICT: ['storage', 'Another server changed the same thing at the same time. Try it again.'],
  ERR_STREAMSEA_LOG_ENTRY: ['storage', 'An entry of the log cannot be read: its bytes are not what was written.'],
  ERR_STREAMSEA_LOG_FAILED: ['storage', 'The log did not take or give an entry; `cause` says why.'],
  ERR_STREAMSEA_MESSAGE_LENGTH: [
    'limit',
    'A message is longer than `maxMessageBytes`, or than the log takes. Raise it if the server is trusted.',
  ],
  ERR_STREAMSEA_MESSAGE_MALFORMED: ['malformed', 'A message of the server cannot be read; the next one can.'],
  ERR_STREAMSEA_NAME_INVALID: [
    'usage',
    'A name of a stream, client, jail or group is empty, too long or has characters other than A-Z a-z 0-9 _ . -.',
  ],
  ERR_STREAMSEA_NAME_TAKEN: ['usage', 'The server has a client or jail of that name. Choose another one.'],
  ERR_STREAMSEA_NAME_UNKNOWN: ['usage', 'The server has no client or jail of that name. It may have been deleted.'],
  ERR_STREAMSEA_OPTION_INVALID: ['usage', 'An option has a value that it cannot have; the text names it.'],
  ERR_STREAMSEA_PAYLOAD_INVALID: [
    'protocol',
    'The server refused a payload that does not match the schema of its stream; `errors` says where.',
  ],
  ERR_STREAMSEA_PAYLOAD_MISSING: ['protocol', 'A publish has no payload.'],
  ERR_STREAMSEA_REPLY_STATUS: ['protocol', 'The server refused a request; `status` and `body` say how.'],
  ERR_STREAMSEA_REPLY_INVALID: ['protocol', 'A reply of the server is not what its protocol says.'],
  ERR_STREAMSEA_SCHEMA_INVALID: ['usage', 'A schema is not one; the text names the field.'],
  ERR_STREAMSEA_SUBSCRIPTION_REFUSED: ['protocol', 'The server refused a subscription; the text has its reason.'],
  ERR_STREAMSEA_VERSION_INVALID: ['usage', 'A version is a number or dotted numbers.'],
})
