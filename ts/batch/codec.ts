// The only file of this room that touches the addon.
import * as native from '../native/index.js'

export const formatBlock: (bytes: Uint8Array, capacity: number, columns: number) => void = native.formatBlock
export const ticksToNs: (ticks: bigint) => bigint = native.ticksToNs
export const nsToTicks: (time: bigint) => bigint = native.nsToTicks
export const secondsToNs: (seconds: number) => bigint = native.secondsToNs
export const nsToSeconds: (time: bigint) => number = native.nsToSeconds
