import { Block, MeasurementBatch } from '../batch/index.js'

/** Rows of one piece of a frame at most: a frame of more goes in several. */
const PIECE_ROWS = 16_384

const COLUMNS = ['time', 'value', 'signal', 'flags', 'rawTime'] as const

/** Where the frame ends that begins at a row: behind the rows of one time that lie behind one another. */
export function frameEnd(batch: MeasurementBatch, from: number): number {
  const { time, length } = batch
  const at = time[from]
  const most = Math.min(length, from + PIECE_ROWS)
  let to = from + 1
  while (to < most && time[to] === at) to++
  return to
}

/** Some rows of a batch, in memory of their own unless they are all. */
export function rowsOf(batch: MeasurementBatch, from: number, to: number): MeasurementBatch {
  if (from === 0 && to === batch.length) return batch
  const { block } = batch
  const part = new Block(Math.max(1, to - from), block.present)
  for (const name of COLUMNS) if (part[name].length > 0) part[name].set(block[name].subarray(from, to) as never)
  part.count = to - from
  part.present = block.present
  return new MeasurementBatch(part, batch.signals, 'f32')
}

/** Those rows of a batch that are wanted, in memory of their own unless they are all. */
export function selectRows(batch: MeasurementBatch, isWanted: (row: number) => boolean): MeasurementBatch {
  const { length } = batch
  let wanted = 0
  while (wanted < length && isWanted(wanted)) wanted++
  if (wanted === length) return batch
  const { block } = batch.copy()
  for (let row = wanted + 1; row < length; row++) if (isWanted(row)) copyRow(block, row, wanted++)
  block.count = wanted
  return new MeasurementBatch(block, batch.signals, 'f32')
}

function copyRow(block: Block, from: number, to: number): void {
  block.time[to] = block.time[from] as bigint
  block.value[to] = block.value[from] as number
  block.signal[to] = block.signal[from] as number
  block.flags[to] = block.flags[from] as number
  if (block.rawTime.length > 0) block.rawTime[to] = block.rawTime[from] as bigint
}
