import type { DatagramEndpoint, Endpoint, Listener, Network, Transport } from '../../ts/session/index.js'

const DATA_PACKET = 0x82

/** A network on whose dialled connections data packets get lost or damaged. */
export class TamperedNetwork implements Network {
  /** What becomes of a data packet, with its length in front: it as it is, another, or nothing. */
  tamper: (frame: Buffer) => Buffer | undefined = (frame) => frame
  readonly #network: Network

  constructor(network: Network) {
    this.#network = network
  }

  async dial(endpoint: Endpoint, signal?: AbortSignal): Promise<Transport> {
    const transport = await this.#network.dial(endpoint, signal)
    const start = transport.start.bind(transport)
    let bytes: Buffer = Buffer.alloc(0)
    transport.start = (handler) =>
      start({
        ...handler,
        onChunk: (chunk) => {
          bytes = Buffer.concat([bytes, chunk])
          const whole: Buffer[] = []
          for (; bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0); ) {
            const length = 4 + bytes.readUInt32BE(0)
            const frame = Buffer.from(bytes.subarray(0, length))
            const kept = frame[4] === DATA_PACKET ? this.tamper(frame) : frame
            if (kept !== undefined) whole.push(kept)
            bytes = bytes.subarray(length)
          }
          if (whole.length > 0) handler.onChunk(Buffer.concat(whole))
        },
      })
    return transport
  }

  listen(endpoint: Endpoint, accept: (transport: Transport) => void): Promise<Listener> {
    return this.#network.listen(endpoint, accept)
  }

  datagrams(endpoint: DatagramEndpoint): Promise<Transport> {
    return this.#network.datagrams(endpoint)
  }
}
