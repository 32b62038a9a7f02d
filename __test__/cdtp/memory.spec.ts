// Default settings, and a receiver that takes a tenth of what its transmitter could send: both ends stay in bounds.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'

const BENCHES = join(import.meta.dirname, '..', '..', 'benches', 'cdtp')
const RECORDS = 150
const BYTES = 1 << 20
/** MB/s; the transmitter alone sends over a GB/s. */
const SLOW = 80

/** The most memory that a process ever had, MiB; 0 once it is gone. */
function peak({ pid }: ChildProcess): number {
  try {
    const [, kib = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kib) / 1024
  } catch {
    return 0
  }
}

test('a receiver ten times too slow: less than 256 MiB at either end', async (t) => {
  if (process.platform !== 'linux') return t.pass('peaks are read from /proc')
  const start = (program: string, args: readonly (string | number)[]): ChildProcess => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(BENCHES, program), ...args.map(String)])
    t.teardown(() => void child.kill('SIGKILL'))
    return child
  }
  const peaks = { sender: 0, receiver: 0 }
  const sender = start('sender.ts', ['measurand', RECORDS, BYTES])
  const port = await new Promise<string>((resolve) => {
    sender.stdout?.on('data', (text: Buffer) => {
      const found = /port (\d+)/.exec(text.toString())?.[1]
      if (found !== undefined) resolve(found)
    })
  })
  const receiver = start('receiver.ts', ['measurand', port, RECORDS, BYTES, SLOW])
  let output = ''
  receiver.stdout?.on('data', (text: Buffer) => {
    output += text.toString()
  })
  const look = setInterval(() => {
    peaks.sender = Math.max(peaks.sender, peak(sender))
    peaks.receiver = Math.max(peaks.receiver, peak(receiver))
  }, 10)
  const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once('close', resolve))
  t.deepEqual(await Promise.all([ended(sender), ended(receiver)]), [0, 0])
  clearInterval(look)
  t.is((JSON.parse(output) as { items: number }).items, RECORDS)
  t.log(`sender ${peaks.sender.toFixed(0)} MiB, receiver ${peaks.receiver.toFixed(0)} MiB`)
  for (const end of ['sender', 'receiver'] as const) {
    t.true(peaks[end] > 20)
    t.true(peaks[end] < 256, `${end}: ${peaks[end]} MiB`)
  }
})
