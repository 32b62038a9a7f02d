import { defineErrors } from '../session/errors.js'

/** Makes the errors of sisock. */
export const sisockError = defineErrors('sisock', {
  ERR_SISOCK_ALLOWANCE: [
    'limit',
    'The node answered `false`: too much data at once. Ask for less, or let `chunk` cut it.',
  ],
  ERR_SISOCK_AUTH_DENIED: ['protocol', 'The router refused user or secret. Check `user` and `WAMP_SECRET`.'],
  ERR_SISOCK_AUTH_METHOD: ['protocol', 'The router asks for a way of authentication that is not WAMP-CRA.'],
  ERR_SISOCK_CALL_CANCELED: ['protocol', 'The node went away during the call. Ask again when it is back.'],
  ERR_SISOCK_CALL_FAILED: ['protocol', 'The called procedure failed; the text is its own.'],
  ERR_SISOCK_CALL_TIMEOUT: ['transport', 'A call was not answered in time. Raise `callTimeout` or ask for less.'],
  ERR_SISOCK_DUCKDB_MISSING: [
    'usage',
    'Parquet tables are read by an optional package that is not installed: npm install @duckdb/node-api',
  ],
  ERR_SISOCK_FILE: [
    'usage',
    'A file of a data node cannot be read as the table that it should be; the text says where.',
  ],
  ERR_SISOCK_MESSAGE_LENGTH: ['limit', 'A message is longer than `maxMessageBytes`. Raise it if the peer is trusted.'],
  ERR_SISOCK_MESSAGE_MALFORMED: ['malformed', 'A message is not well formed in its serialization.'],
  ERR_SISOCK_MESSAGE_VALUE: [
    'usage',
    'A value has no form in WAMP: a function, a bigint of more than 64 bits, a circle.',
  ],
  ERR_SISOCK_NAME_INVALID: ['usage', 'A data node needs a name that is a WAMP URI component: no blanks, no `#`.'],
  ERR_SISOCK_NODE_DENIED: [
    'protocol',
    'The hub or the router refused the node: its name is taken. Choose another name.',
  ],
  ERR_SISOCK_NODE_MISSING: ['protocol', 'The hub does not list a node of this name.'],
  ERR_SISOCK_NODE_OVERRIDE: ['usage', 'A data node overrides `getFields` and `getData`, or the blocking pair.'],
  ERR_SISOCK_NODE_REPLY: [
    'usage',
    'A data node gave a reply that is not of the documented shape; the text says where.',
  ],
  ERR_SISOCK_NOT_AUTHORIZED: ['protocol', 'The role of this user may not do that. Use a user of the role `server`.'],
  ERR_SISOCK_OPTION_INVALID: ['usage', 'An option has a value that it cannot have; the text says what it takes.'],
  ERR_SISOCK_PROCEDURE_MISSING: ['protocol', 'Nobody has registered the procedure: the hub or the node is not there.'],
  ERR_SISOCK_PROTOCOL: ['protocol', 'The peer breaks the WAMP protocol; the text says how.'],
  ERR_SISOCK_REALM_UNKNOWN: ['protocol', 'The router has no such realm. Check `realm` (`test_realm` unless told).'],
  ERR_SISOCK_REPLY_SHAPE: ['protocol', 'A node or hub answered something that is not of the documented shape.'],
  ERR_SISOCK_SECRET_MISSING: ['usage', 'No secret was given. Set `WAMP_SECRET`, or the option `secret`.'],
  ERR_SISOCK_URL: ['usage', 'A sisock URL is sisock://USER@host:port/NODE[/FIELD[,FIELD]][?since=-3600&until=0].'],
  ERR_SISOCK_USERS: [
    'usage',
    'The users are {"NAME":{"secret":"...","role":"server|consumer"}}; the text says what is wrong.',
  ],
})
