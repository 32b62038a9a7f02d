// A server in a process of its own, to be killed: `node victim.ts DIR|nats://... SECRET`.
import { StreamSeaServer } from '../../ts/stream-sea/index.js'

const [data = '', secret = ''] = process.argv.slice(2)
const server = await StreamSeaServer.open(data.startsWith('nats:') ? { log: data } : { data })
if (server.directory.isEmpty) {
  await server.addClient('main', 'app123', { secret })
  await server.define('main', { name: 's', version: 1, fields: [{ name: 'n', type: 'integer' }] })
}
const [, port] = await server.listen(0)
process.stdout.write(`${port}\n`)
