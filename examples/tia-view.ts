// Shows a TiA server on a live page until Ctrl-C: open the address that it prints.
import { TiAClient } from '../ts/tia/index.js'
import { View } from '../ts/view/index.js'

const { PORT = '9000' } = process.env
const client = new TiAClient('127.0.0.1', Number(PORT), { wait: 10_000 })
await client.connect()
await client.startStreaming()
const view = await View.open(client)
console.log(view.url)
process.once('SIGINT', () => void client.close())
await client.consume((batch) => view.write(batch))
await view.close()
