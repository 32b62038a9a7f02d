// A server with TLS, a durable log and a client; stops at Ctrl-C.
// usage: node --import tsx examples/stream-sea-server-tls.ts DIR CERT KEY [PORT]
import { readFileSync } from 'node:fs'
import { StreamSeaServer } from '../ts/stream-sea/index.js'

const [data = 'sea', cert = 'cert.pem', key = 'key.pem', port = '3104'] = process.argv.slice(2)

const server = await StreamSeaServer.open({
  data,
  tls: { cert: readFileSync(cert), key: readFileSync(key) },
  retention: { maxAge: 30 * 86_400_000 },
})
if (server.directory.isEmpty) console.log('secret of app123:', await server.addClient('main', 'app123'))
const [, listening] = await server.listen(Number(port))
console.log(`listening on wss://127.0.0.1:${listening}`)
process.once('SIGINT', () => void server.close().then(() => process.exit(0)))
