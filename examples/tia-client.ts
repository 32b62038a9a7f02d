// The client of pytia's page: connects to a server, takes packets and shows one of them.
import { TiAClient } from '../ts/tia/index.js'

const serverAddress = '127.0.0.1'
const { PORT = '9000' } = process.env
const client = new TiAClient(serverAddress, Number(PORT), { wait: 10_000 })
await client.connect()

// TiA clients should start by checking that the server's protocol version matches their own...
await client.cmdCheckProtocolVersion()

// To begin streaming data, a client requests a data connection. The server sends back a port number, and the client
// connects to that port.
const [, dport] = await client.cmdGetDataConnectionTcp()
await client.startStreamingDataTcp(serverAddress, dport)

// getData returns a list of packets. How many depends on when it is called and on the server's signals.
const packets = await client.getData()

const [packet] = packets
if (packet !== undefined) {
  console.log(`Packet contains ${packet.signals.length} signals`)
  console.log('Number/timestamp/ID: ', packet.packetNumber, packet.timestamp, packet.packetId)
  console.log('Channel counts: ', packet.channels)
  console.log('Block sizes: ', packet.blocksizes)

  // Some data by channel...
  console.log('Signal 0/channel 1 = ', packet.getChannel(0, 1))

  // ... or just all the data of a signal.
  console.log('Signal 0 = ', packet.getChannel(0))
}

// Disconnect from the server when done streaming.
await client.stopStreamingData()
await client.disconnect()
