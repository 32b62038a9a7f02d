import { gunzipSync } from 'node:zlib'
import { SourceUrl } from '../ingest/index.js'
import { systemNetwork, type Transport } from '../session/index.js'
import { type Command, EXIT } from './command.js'
import { MEASUREMENTS, SESSION } from './demo-session.js'
import { record } from './record.js'

const SUBSCRIBE = 2
const MAX_COMMAND_BYTES = 32_768

export const command: Command = {
  usage: '[--out DIR]',
  line: 'replays a session of a real STTP publisher over a loopback socket and records it',
  options: { out: { value: 'DIR', line: 'where the recording goes; recordings/demo-TIME unless told' } },
  async run(call) {
    const stamp = new Date()
      .toISOString()
      .replaceAll(/[^0-9]/g, '')
      .slice(0, 14)
    const out = (call.options.get('out') as string | undefined) ?? `recordings/demo-${stamp}`
    const listener = await systemNetwork.listen({ host: '127.0.0.1', port: 0 }, replay)
    try {
      const url = new SourceUrl(`sttp://127.0.0.1:${listener.port}?encoding=tssc`)
      const options = new Map(call.options).set('limit', String(MEASUREMENTS))
      const code = await record({ ...call, options }, [url], out)
      if (code === EXIT.done) call.err.write(`recorded in ${out}; look at it: measurand info ${out}\n`)
      return code
    } finally {
      await listener.close()
    }
  },
}

/** Answers each command with what the publisher answered, and the subscription with all that it sent. */
function replay(transport: Transport): void {
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
