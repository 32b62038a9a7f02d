import { PassThrough, Readable } from 'node:stream'
import { run } from '../../ts/cli/run.js'

/** What a run of the command line gave. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** stdout as JSON lines. */
  readonly lines: Record<string, unknown>[]
}

/** Runs the command line in this process; `hear` is given what it writes to stderr meanwhile. */
export async function measurand(
  args: readonly string[],
  stdin: readonly Uint8Array[] = [],
  signal?: AbortSignal,
  hear: (text: string) => void = () => {},
): Promise<Ran> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const read = async (stream: PassThrough, hear: (text: string) => void = () => {}): Promise<string> => {
    const chunks: Buffer[] = []
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer)
      hear((chunk as Buffer).toString('utf8'))
    }
    return Buffer.concat(chunks).toString('utf8')
  }
  const texts = [read(stdout), read(stderr, hear)] as const
  const code = await run(args, { stdin: Readable.from(stdin), stdout, stderr }, signal ?? new AbortController().signal)
  stdout.end()
  stderr.end()
  const [out, err] = await Promise.all(texts)
  return {
    code,
    stdout: out,
    stderr: err,
    get lines() {
      return out
        .trimEnd()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    },
  }
}
