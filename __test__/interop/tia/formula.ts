import { signalTypeOf, type TiAServer, TiASignalConfig } from '../../../ts/tia/index.js'

/** A signal as the peers' programs name it: `eeg:8:4` has 8 channels and blocks of 4. */
export interface Spec {
  readonly type: number
  readonly channels: number
  readonly blocksize: number
}

/** Signals in ascending bits. */
export function parseSpec(text: string): Spec[] {
  const specs = text.split(',').map((part) => {
    const [name = '', channels, blocksize] = part.split(':')
    return { type: signalTypeOf(name), channels: Number(channels), blocksize: Number(blocksize) }
  })
  return specs.sort((a, b) => a.type - b.type)
}

/** The samples of packet n of a signal, channel after channel: the formula of `tia_shim.py`. */
export function samplesOf({ channels, blocksize }: Spec, signal: number, packet: number): Float32Array {
  const samples = new Float32Array(channels * blocksize)
  for (let channel = 0; channel < channels; channel++) {
    for (let j = 0; j < blocksize; j++) {
      const k = packet * blocksize + j
      samples[channel * blocksize + j] =
        signal === 0 && channel === 0 ? k % 2 ** 20 : signal * 8192 + channel * 16 + (k % 128) / 8
    }
  }
  return samples
}

/**
 * Signals of a server of ours that obey the formula: so many packets, the first when somebody receives, each `rate`
 * a second.
 */
export function servedSignals(
  specs: readonly Spec[],
  { rate, packets, server }: { rate: number; packets: number; server: () => TiAServer },
): TiASignalConfig[] {
  let packet = -1
  // The master is asked first: what it answers goes for the others.
  const isOn = (isMaster: boolean): boolean => {
    if (isMaster && server().receivers > 0) packet++
    return server().receivers > 0 && packet < packets
  }
  return specs.map((spec, index) => {
    const isMaster = index === 0
    return new TiASignalConfig({
      channels: spec.channels,
      sampleRate: rate * spec.blocksize,
      blocksize: spec.blocksize,
      callback: () => (isOn(isMaster) ? samplesOf(spec, index, packet) : null),
      id: index,
      isMaster,
      sigtype: spec.type,
    })
  })
}
