// A synthetic EEG of 16 channels at 512 Hz with a button that is pressed now and then, until Ctrl-C.
import { TIA_SIG_BUTTON, TIA_SIG_EEG, TiAConnectionHandler, TiAServer, TiASignalConfig } from '../ts/tia/index.js'

const { PORT = '9000' } = process.env
const labels = ['Fp1', 'Fp2', 'F7', 'F3', 'Fz', 'F4', 'F8', 'T7', 'C3', 'Cz', 'C4', 'T8', 'P3', 'Pz', 'P4', 'Oz']
const [rate, blocksize] = [512, 8]
let sample = 0

/** Alpha waves, stronger at the back, under noise: channel after channel. */
function eeg(): Float32Array {
  const block = new Float32Array(labels.length * blocksize)
  for (let channel = 0; channel < labels.length; channel++) {
    for (let j = 0; j < blocksize; j++) {
      const alpha = (5 + 2 * channel) * Math.sin((2 * Math.PI * 10 * (sample + j)) / rate)
      block[channel * blocksize + j] = alpha + 10 * (Math.random() - 0.5)
    }
  }
  sample += blocksize
  return block
}

const server = new TiAServer(['127.0.0.1', Number(PORT)], TiAConnectionHandler)
await server.start([
  new TiASignalConfig({
    channels: labels.length,
    sampleRate: rate,
    blocksize,
    callback: eeg,
    id: 'eeg',
    sigtype: TIA_SIG_EEG,
    labels,
  }),
  new TiASignalConfig({
    channels: 1,
    sampleRate: 0,
    blocksize: 1,
    callback: () => (Math.random() < 0.01 ? [1] : null),
    id: 'button',
    isMaster: false,
    sigtype: TIA_SIG_BUTTON,
    labels: ['press'],
  }),
])
console.log(`listening on port ${server.port}`)
const alive = setInterval(() => {}, 60_000)
process.once('SIGINT', () => void server.drain())
await server.closed
clearInterval(alive)
