// Default settings, and a receiver that takes a tenth of what its transmitter could send: both ends stay in bounds.
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { compiled } from '../../benches/harness/compiled.js'
import { Program } from '../program.js'

const BENCHES = join(import.meta.dirname, '..', '..', 'benches', 'cdtp')
const RECORDS = 400
const BYTES = 1 << 20
/** MB/s; the transmitter alone sends over a GB/s. */
const SLOW = 80
/** Tells, when the process ends, the most memory that it ever had, KiB. */
const TELL_PEAK =
  "data:text/javascript,process.on('exit', () => process.stderr.write('peak ' + process.resourceUsage().maxRSS))"

/** One end of the transfer, as users run it: a loader's own memory is none of ours. */
class End extends Program {
  private constructor(t: ExecutionContext, program: string, args: readonly (string | number)[]) {
    super(process.execPath, ['--import', TELL_PEAK, program, ...args.map(String)])
    t.teardown(() => void this.kill())
  }

  static async begin(t: ExecutionContext, program: string, args: readonly (string | number)[]): Promise<End> {
    return new End(t, await compiled(join(BENCHES, program)), args)
  }

  get peakMiB(): number {
    return Number(/peak (\d+)/.exec(this.output)?.[1]) / 1024
  }
}

test('a receiver ten times too slow: less than 256 MiB at either end', async (t) => {
  const sender = await End.begin(t, 'sender.ts', ['measurand', RECORDS, BYTES])
  const port = await sender.printed(/port (\d+)/)
  const receiver = await End.begin(t, 'receiver.ts', ['measurand', port, RECORDS, BYTES, SLOW])
  t.deepEqual(await Promise.all([sender.ended, receiver.ended]), [0, 0])
  t.regex(receiver.output, new RegExp(`"items":${RECORDS},`))
  t.log(`sender ${sender.peakMiB.toFixed(0)} MiB, receiver ${receiver.peakMiB.toFixed(0)} MiB`)
  for (const { peakMiB } of [sender, receiver]) {
    t.true(peakMiB > 20)
    t.true(peakMiB < 256, `${peakMiB} MiB`)
  }
})
