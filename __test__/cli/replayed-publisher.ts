import { gunzipSync } from 'node:zlib'
import type { Transport } from '../../ts/session/index.js'
import { SESSION } from './publisher-session.js'

const SUBSCRIBE = 2
const MAX_COMMAND_BYTES = 32_768

/** Answers each command with what the publisher answered, and the subscription with all that it sent. */
export function replay(transport: Transport): void {
  const frames = split(gunzipSync(Buffer.from(SESSION, 'base64')))
  const heard = new Set<number>()
  let commands: Buffer = Buffer.alloc(0)
  const answer = (): void => {
    for (let frame = frames[0]; frame !== undefined && heard.has(frame[5] as number); frame = frames[0]) {
      frames.shift()
      transport.write(frame)
    }
  }
  transport.start({
    onChunk(bytes) {
      commands = Buffer.concat([commands, bytes])
      const complete = split(commands)
      for (const command of complete) {
        heard.add(command[4] as number)
        commands = commands.subarray(command.length)
      }
      if (commands.length > MAX_COMMAND_BYTES) transport.close()
      // A subscriber that asks for no metadata has not to wait for them.
      if (heard.has(SUBSCRIBE)) for (let code = 0; code < SUBSCRIBE; code++) heard.add(code)
      answer()
    },
    onClose() {},
  })
}

/** The whole frames: `u32 length`, then so many bytes. */
function split(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at)
    if (end > bytes.length) break
    frames.push(bytes.subarray(at, end))
    at = end
  }
  return frames
}
