// Judges TSSC packets: their measurements, and that the same measurements become the same bytes.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Block, COLUMN } from '../../../ts/batch/index.js'
import { SttpEncoder, sttpWriteResponse } from '../../../ts/sttp/codec.js'
import { WireReader } from '../../../ts/sttp/wire-reader.js'
import type { Verdict } from '../main.js'
import { cacheOf, float32Bits, responseFrame, rowTicks } from './wire.js'

type Row = [index: number, ticks: string, flags: number, bits: string]

interface Line {
  readonly packet: number
  readonly measurements: Row[]
}

const MODES = 0xe000_0262

export function* judgeTssc(folder: string): Generator<Verdict> {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.bin'))) {
    const name = file.slice(0, -'.bin'.length)
    const lines = readFileSync(join(folder, `${name}.jsonl`), 'utf8')
      .trim()
      .split('\n')
    const expected = lines.map((line) => JSON.parse(line) as Line)
    const wire = readFileSync(join(folder, file))
    yield { case: `tssc/${name}`, ...judgePackets(wire, expected) }
  }
}

function judgePackets(wire: Buffer, expected: Line[]): { passed: boolean; detail?: string } {
  const wrong = (detail: string): { passed: boolean; detail: string } => ({ passed: false, detail })
  const indexes = [...new Set(expected.flatMap(({ measurements }) => measurements.map(([index]) => index)))]
  const reader = new WireReader({ modes: MODES }, 1 << 19)
  const encoder = new SttpEncoder(MODES, true, false)
  for (const item of reader.read(sttpWriteResponse(cacheOf(indexes), MODES))) {
    if (item.kind === 'control') reader.downlink.assignRows(Uint32Array.from(indexes.keys()))
  }
  encoder.setSignals(Uint32Array.from(indexes.keys()), 0, Int32Array.from(indexes))
  const out = new Uint8Array(1 << 16)
  const result = new Uint32Array(2)
  let at = 0
  let rows = 0
  for (const { packet, measurements } of expected) {
    const payload = wire.subarray(at + 4, at + 4 + wire.readUInt32BE(at))
    at += 4 + payload.length
    const block = new Block(Math.max(1, measurements.length), COLUMN.rawTime)
    for (const item of reader.read(responseFrame(0x82, payload))) {
      if (item.kind !== 'rows') return wrong(`packet ${packet}: ${JSON.stringify(item)}`)
      if (item.block.count !== measurements.length) return wrong(`packet ${packet}: ${item.block.count} measurements`)
      for (const [row, measurement] of measurements.entries()) {
        const decoded = [
          indexes[item.block.signal[row] as number],
          String(rowTicks(item.block, row)),
          item.block.flags[row],
          float32Bits(item.block, row),
        ]
        if (decoded.join() !== measurement.join()) {
          return wrong(`packet ${packet}, measurement ${row}: ${decoded.join()} instead of ${measurement.join()}`)
        }
      }
      for (const column of ['time', 'value', 'signal', 'flags', 'rawTime'] as const) {
        block[column].set(item.block[column].subarray(0, measurements.length) as never)
      }
      block.count = item.block.count
      block.present = item.block.present
    }
    const taken = encoder.encode(block.bytes, 0, out, 0, result)
    const encoded = Buffer.from(out.subarray(10, result[0]))
    if (taken !== measurements.length || !encoded.equals(payload))
      return wrong(`packet ${packet} is encoded differently`)
    rows += measurements.length
  }
  if (at !== wire.length) return wrong(`${wire.length - at} bytes behind the last packet`)
  return { passed: true, detail: `${expected.length} packets, ${rows} measurements, encoded to the same bytes` }
}
