// Judges compact packets: their measurements, and that the same measurements become the same bytes.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Block, COLUMN } from '../../../ts/batch/index.js'
import { SttpEncoder, sttpWriteResponse } from '../../../ts/sttp/codec.js'
import { WireReader } from '../../../ts/sttp/wire-reader.js'
import type { Verdict } from '../main.js'
import { cacheOf, float32Bits, responseFrame, rowTicks } from './wire.js'

interface Packet {
  readonly name: string
  readonly include_time: boolean
  readonly use_millisecond_resolution: boolean
  readonly base_time_offsets: [string, string]
  readonly time_index: number
  readonly data_packet_hex: string
  readonly measurements: {
    readonly index: number
    readonly sent_flags: number
    readonly flags: number
    readonly value_f32_hex: string
    readonly sent_ticks: string
    readonly ticks: string | null
  }[]
}

const MODES = 0xc000_0222

export function* judgeCompact(folder: string): Generator<Verdict> {
  for (const line of readFileSync(join(folder, 'compact.jsonl'), 'utf8').trim().split('\n')) {
    const packet = JSON.parse(line) as Packet
    const wrong = decoded(packet) ?? encoded(packet)
    const detail = wrong ?? `${packet.measurements.length} measurements, encoded to the same bytes`
    yield { case: `compact/${packet.name}`, passed: wrong === undefined, detail }
  }
}

function decoded(packet: Packet): string | undefined {
  const { measurements, include_time, use_millisecond_resolution } = packet
  const indexes = indexesOf(packet)
  const reader = new WireReader({ modes: MODES })
  reader.downlink.setTimeForm(include_time, use_millisecond_resolution)
  const baseTimes = packet.base_time_offsets.map(BigInt)
  const frames = Buffer.concat([
    sttpWriteResponse(cacheOf(indexes), MODES),
    sttpWriteResponse({ type: 'baseTimes', timeIndex: packet.time_index, baseTimes }, MODES),
    responseFrame(0x82, Buffer.from(packet.data_packet_hex, 'hex')),
  ])
  let rows = 0
  for (const item of reader.read(frames)) {
    if (item.kind === 'control' && item.control.type !== 'quirk') continue
    if (item.kind !== 'rows') return JSON.stringify(item)
    for (let row = 0; row < item.block.count; row++) {
      const { index, flags, value_f32_hex, ticks } = measurements[rows++] ?? {}
      const expected = [index, flags, value_f32_hex, ticks]
      const { block } = item
      const time = rowTicks(block, row)
      const found = [
        indexes[block.signal[row] as number],
        block.flags[row],
        float32Bits(block, row),
        time === null ? null : String(time),
      ]
      if (found.join() !== expected.join()) return `measurement ${rows - 1}: ${found.join()}, not ${expected.join()}`
    }
  }
  return rows === measurements.length ? undefined : `${rows} measurements`
}

function encoded(packet: Packet): string | undefined {
  const { measurements } = packet
  const indexes = indexesOf(packet)
  const encoder = new SttpEncoder(MODES, packet.include_time, packet.use_millisecond_resolution)
  encoder.setSignals(Uint32Array.from(indexes.keys()), 0, Int32Array.from(indexes))
  const [first, second] = packet.base_time_offsets.map(BigInt) as [bigint, bigint]
  encoder.setBaseTimes(packet.time_index, first, second)
  const block = new Block(measurements.length, COLUMN.rawTime)
  block.count = measurements.length
  block.present = COLUMN.rawTime
  const bits = new DataView(block.value.buffer, block.value.byteOffset)
  for (const [row, { index, sent_flags, value_f32_hex, sent_ticks }] of measurements.entries()) {
    block.rawTime[row] = BigInt(sent_ticks)
    block.signal[row] = indexes.indexOf(index)
    block.flags[row] = sent_flags
    const word = Buffer.from(value_f32_hex, 'hex')
    const value = word.readFloatBE()
    if (Number.isNaN(value)) bits.setBigUint64(row * 8, widenedNaN(BigInt(word.readUInt32BE())), true)
    else block.value[row] = value
  }
  const out = new Uint8Array(1 << 16)
  const result = new Uint32Array(2)
  encoder.encode(block.bytes, 0, out, 0, result)
  const hex = Buffer.from(out.subarray(10, result[0])).toString('hex')
  return hex === packet.data_packet_hex ? undefined : `encoded as ${hex}`
}

function indexesOf({ measurements }: Packet): number[] {
  return [...new Set(measurements.map(({ index }) => index))]
}

function widenedNaN(word: bigint): bigint {
  return ((word >> 31n) << 63n) | (0x7ffn << 52n) | ((word & 0x7f_ffffn) << 29n)
}
