/** What a satellite offers, by the numbers of CHIRP. */
export const Service = {
  CONTROL: 1,
  HEARTBEAT: 2,
  MONITORING: 3,
  DATA: 4,
} as const

/** One of {@link Service}. */
export type Service = (typeof Service)[keyof typeof Service]

/** A service of a host, found by CHIRP or known otherwise. */
export interface DiscoveredService {
  /** The MD5 of the host's lower-cased canonical name, 32 hex digits. */
  readonly hostUuid: string
  readonly serviceId: Service
  /** Where its port is: the source address of the offer. */
  readonly address: string
  readonly port: number
}
