import type { ClientConnection } from './client-connection.js'
import { type SttpSubscription, sttpWriteResponse } from './codec.js'
import {
  DataChannel,
  type DataChannelOptions,
  type DataChannelParts,
  MAX_DATAGRAM_BYTES,
  MIN_DATAGRAM_BYTES,
} from './data-channel.js'
import { sttpError } from './error-codes.js'
import { hostOf } from './publisher-address.js'

/** What the publisher brings to a data channel. */
export interface ChannelParts extends Pick<DataChannelParts, 'network' | 'clock' | 'maxBytes' | 'stats' | 'onClose'> {
  readonly options: DataChannelOptions | false | undefined
}

/** The programs that cannot use keys: sttpapi takes all but the first from the wrong place. */
const CANNOT_DECRYPT = 'STTP Python Library'

/** Opens the data channel that a subscription asks for; rejects with what is wrong with that. */
export async function openChannel(
  connection: ClientConnection,
  { dataChannel: port = 0, dataChannelGroup: group, source }: SttpSubscription,
  { options: given, ...parts }: ChannelParts,
): Promise<DataChannel> {
  const refuse = (text: string): never => {
    throw sttpError('ERR_STTP_SUBSCRIPTION_REFUSED', text)
  }
  if (given === false) return refuse('This publisher sends nothing by UDP.')
  if (port === 0) return refuse('A data channel needs the port to which data are to be sent.')
  const options = given ?? {}
  // What is sent to a group has to be understood by the caches of all who receive it, which are each subscriber's own.
  if (group !== undefined) return refuse('This publisher sends to subscribers, not to groups.')
  const { encryption = 'tls' } = options
  const isEncrypted = encryption === 'always' || (encryption === 'tls' && connection.isSecure)
  if (isEncrypted && source === CANNOT_DECRYPT) return refuse(`${source} cannot read encrypted data.`)
  return DataChannel.open({
    ...parts,
    options,
    isEncrypted,
    remote: { host: hostOf(connection.peer), port },
    respond: (response) => connection.sendFrame(sttpWriteResponse(response, connection.modes)),
  })
}

/** Checks what a publisher was given; throws what is wrong with it. */
export function checkDataChannel(options: DataChannelOptions | false | undefined): void {
  const { datagramBytes = MAX_DATAGRAM_BYTES, keyLifetime = 1 } = options || {}
  const isLength = Number.isInteger(datagramBytes)
  if (!isLength || datagramBytes < MIN_DATAGRAM_BYTES || datagramBytes > MAX_DATAGRAM_BYTES) {
    const range = `${MIN_DATAGRAM_BYTES} to ${MAX_DATAGRAM_BYTES}`
    throw sttpError('ERR_STTP_OPTION_INVALID', `dataChannel.datagramBytes is ${range}, not ${datagramBytes}`)
  }
  if (!(keyLifetime > 0)) throw sttpError('ERR_STTP_OPTION_INVALID', `dataChannel.keyLifetime is not ${keyLifetime}`)
}
