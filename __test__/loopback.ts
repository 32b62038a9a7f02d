import { networkInterfaces } from 'node:os'

const [name, addresses = []] = Object.entries(networkInterfaces()).find(([, found]) => found?.[0]?.internal) ?? ['', []]

/** The loopback of this machine. */
export const loopback = { name, hasIPv6: addresses.some(({ family }) => family === 'IPv6') }
