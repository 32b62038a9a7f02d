/** First bytes of commands that are answered (section 2 of the protocol). */
export const COMMAND = {
  metadataRefresh: 0x01,
  subscribe: 0x02,
  unsubscribe: 0x03,
  rotateCipherKeys: 0x04,
  updateProcessingInterval: 0x05,
  defineOperationalModes: 0x06,
} as const

/** First bytes of responses that are named here. */
export const RESPONSE = { notify: 0x89 } as const

/** Bits of the operational modes. */
export const MODE = {
  version: 0x1f,
  gzip: 0x20,
  tssc: 0x40,
  compressPayload: 0x2000_0000,
  compressCache: 0x4000_0000,
  compressMetadata: 0x8000_0000,
} as const

/** The protocol version of operational modes. */
export function versionOf(modes: number): number {
  return modes & MODE.version
}

/** Whether all of these bits are set. */
export function hasModes(modes: number, bits: number): boolean {
  return (modes & bits) >>> 0 === bits >>> 0
}

/** The modes of a client whose data go by datagrams: TSSC cannot bear that one is lost. */
export function datagramModes(modes: number): number {
  return (modes & ~(MODE.tssc | MODE.compressPayload)) >>> 0
}

/** Whether data packets are TSSC: both bits are needed. */
export function isTssc(modes: number): boolean {
  return hasModes(modes, MODE.tssc | MODE.compressPayload)
}

/** How sttpapi, the Python library, names itself. */
export const STTPAPI = 'STTP Python Library'
