import { readFile } from 'node:fs/promises'
import { SourceUrl } from '../ingest/index.js'
import {
  createClient,
  defineStream,
  deleteClient,
  describeStream,
  generateJwtKeys,
  listClients,
  rotateClientJwtPublicKey,
  rotateClientSecret,
  type SchemaDefinition,
  signJwt,
} from '../stream-sea/index.js'
import { placeOptions, remoteOf } from '../stream-sea/place.js'
import type { Remote } from '../stream-sea/remote.js'
import { type Call, type Command, EXIT } from './command.js'
import { cliError } from './error-codes.js'

const ACTIONS = ['define', 'describe', 'clients', 'keygen', 'sign-jwt']

export const command: Command = {
  usage: 'define URL FILE | describe URL | clients URL list|create|delete|rotate|jwt-key [ID|FILE] | keygen | sign-jwt',
  line: 'defines and describes streams, lists, makes and deletes clients, makes key pairs and tokens',
  options: {
    ...placeOptions,
    description: { value: 'TEXT', line: 'clients create: what the client is for' },
    'key-file': { value: 'FILE', line: 'sign-jwt: the private key, PEM' },
    'expires-in': { value: 'SECONDS', line: 'sign-jwt: how long the token is good (default 3600)' },
    'must-fanout': { line: 'sign-jwt: the bearer has to subscribe with a group of its own' },
    filter: { value: 'JSON', line: 'sign-jwt: the expression that messages have to pass' },
  },
  async run(call) {
    const [action, ...args] = call.args
    if (action === 'define') return define(call, args)
    if (action === 'describe') return describe(call, args)
    if (action === 'clients') return clients(call, args)
    if (action === 'keygen') return keygen(call)
    if (action === 'sign-jwt') return token(call)
    const code = action === undefined ? 'ERR_CLI_ARGUMENT_MISSING' : 'ERR_CLI_OPTION_INVALID'
    throw cliError(code, `stream-sea does ${ACTIONS.join(', ')}, not ${action ?? 'nothing'}`)
  },
}

async function place(call: Call, text: string | undefined): Promise<Remote & { stream: string }> {
  if (text === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'which server? streamsea://ID@host:port/STREAM')
  const options = [...call.options].filter(([name]) => Object.hasOwn(placeOptions, name))
  const url = new SourceUrl(
    text,
    options.map(([name, value]) => [name, value === true ? '1' : value] as const),
  )
  url.check(placeOptions)
  return { ...(await remoteOf(url)), stream: url.path }
}

async function define(call: Call, [url, file]: readonly string[]): Promise<number> {
  const remote = await place(call, url)
  if (file === undefined) throw cliError('ERR_CLI_ARGUMENT_MISSING', 'which file has the schema?')
  const schema = jsonOf(file, await textOf(file)) as SchemaDefinition
  await call.out.json(await defineStream({ ...remote, schema: { ...schema, name: remote.stream } }))
  return EXIT.done
}

async function describe(call: Call, [url]: readonly string[]): Promise<number> {
  const remote = await place(call, url)
  const schema = await describeStream(remote)
  if (schema === null) {
    call.err.write(`there is no stream ${remote.stream}\n`)
    return EXIT.usage
  }
  await call.out.json(schema)
  return EXIT.done
}

async function clients(call: Call, [url, verb, subject]: readonly string[]): Promise<number> {
  const remote = await place(call, url)
  const needed = (what: string): string => {
    if (subject !== undefined) return subject
    throw cliError('ERR_CLI_ARGUMENT_MISSING', `clients ${verb} takes ${what}`)
  }
  if (verb === 'list') {
    for (const client of await listClients(remote)) await call.out.json(client)
  } else if (verb === 'create') {
    const targetClientDescription = String(call.options.get('description') ?? '')
    const targetClientId = needed('an id')
    await call.out.json(await createClient({ ...remote, targetClientId, targetClientDescription }))
  } else if (verb === 'delete') await call.out.json(await deleteClient({ ...remote, targetClientId: needed('an id') }))
  else if (verb === 'rotate') await call.out.json(await rotateClientSecret(remote))
  else if (verb === 'jwt-key') {
    const jwtPublicKey = await textOf(needed('the file of a public key'))
    await call.out.json(await rotateClientJwtPublicKey({ ...remote, jwtPublicKey }))
  } else
    throw cliError(
      'ERR_CLI_OPTION_INVALID',
      `clients does list, create, delete, rotate, jwt-key, not ${verb ?? 'nothing'}`,
    )
  return EXIT.done
}

async function keygen(call: Call): Promise<number> {
  const { publicKey, privateKey } = await generateJwtKeys()
  if (call.json) await call.out.json({ publicKey, privateKey })
  else await call.out.line(`${privateKey}${publicKey}`.trimEnd())
  return EXIT.done
}

async function token(call: Call): Promise<number> {
  const file = call.options.get('key-file')
  if (typeof file !== 'string') throw cliError('ERR_CLI_ARGUMENT_MISSING', 'sign-jwt takes --key-file FILE')
  const seconds = Number(call.options.get('expires-in') ?? 3600)
  if (!(seconds > 0)) throw cliError('ERR_CLI_OPTION_INVALID', '--expires-in takes a number of seconds')
  const filter = call.options.get('filter')
  const claims = {
    exp: Math.floor(Date.now() / 1000) + seconds,
    mustFanout: call.options.has('must-fanout'),
    ...(typeof filter === 'string' ? { filter: jsonOf('--filter', filter) } : {}),
  }
  await call.out.line(signJwt(claims, await textOf(file)))
  return EXIT.done
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw cliError('ERR_CLI_FILE_UNREADABLE', `${file}: ${(cause as Error).message}`, { cause })
  }
}

function jsonOf(what: string, text: string) {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw cliError('ERR_CLI_OPTION_INVALID', `${what} is no JSON: ${(cause as Error).message}`, { cause })
  }
}
