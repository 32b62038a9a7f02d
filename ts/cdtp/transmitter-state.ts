/** Where a transmitter is in its run; on the transmitter's own side "received" means sent. */
export const TransmitterState = {
  NOT_CONNECTED: 1,
  BOR_RECEIVED: 2,
  EOR_RECEIVED: 3,
} as const

/** One of {@link TransmitterState}. */
export type TransmitterState = (typeof TransmitterState)[keyof typeof TransmitterState]

/** What a receiver knows of one transmitter. */
export interface TransmitterStateSeq {
  readonly state: TransmitterState
  /** The highest sequence number of the run. */
  readonly seq: bigint
  /** Records that have not come, exactly: duplicates do not cancel them. */
  readonly missed: bigint
}
