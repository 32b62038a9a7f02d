import { readDocument, type Shape, writeDocument } from './codec.js'
import { type Dialect, dialectNumber, nameOfBit } from './signal-type.js'

/** Who is measured, as far as the server tells. */
export interface Subject {
  readonly id: string
  readonly firstName: string
  readonly surname: string
  /** Other attributes: birthday, sex, handedness, medication, glasses, smoker. */
  readonly other?: Readonly<Record<string, string>>
}

/** A signal as the meta info describes it. */
export interface SignalInfo {
  /** Its type's name, as the server writes it. */
  readonly type: string
  /** Bit of the type; -1 where the name is not known. */
  readonly bit: number
  /** Samples per second of a channel; 0 for an aperiodic signal. */
  readonly sampleRate: number
  /** Samples per channel and packet. */
  readonly blocksize: number
  readonly channels: number
  /** The label of each channel; its number where it has none. */
  readonly labels: readonly string[]
}

/** What a server offers. */
export interface MetaInfo {
  readonly subject: Subject | undefined
  /** The signal that paces the packets. */
  readonly master: { readonly sampleRate: number; readonly blocksize: number } | undefined
  /** In the document's order, which is not that of the packets. */
  readonly signals: readonly SignalInfo[]
}

/** What a client wants of a signal. */
export interface SignalChoice {
  /** Name of the type. */
  readonly type: string
  /** Channels kept, from 0. */
  readonly channels: readonly number[]
  /** One sample is kept of so many, behind a low-pass filter; 1 unless told. */
  readonly downsampling?: number
}

/** Reads a server's document. */
export function readMetaInfo(xml: string): MetaInfo {
  const info = readDocument(xml)
  const signals = info.signals.map(({ type, bit, sampleRate, blocksize, channels, numbers, labels }) => {
    const all = Array.from({ length: channels }, (_, index) => String(index + 1))
    numbers.forEach((nr, index) => {
      // A custom document keeps the numbers of the channels that were chosen.
      const place = nr <= channels ? nr - 1 : index
      all[place] = labels[index] as string
    })
    return { type, bit, sampleRate, blocksize, channels, labels: all }
  })
  const { masterRate, masterBlocksize } = info
  return {
    subject: info.subject && subjectOf(info.subject),
    master:
      masterRate === undefined || masterBlocksize === undefined
        ? undefined
        : { sampleRate: masterRate, blocksize: masterBlocksize },
    signals,
  }
}

/** Writes a server's document. */
export function writeMetaInfo({ subject, master, signals }: MetaInfo, dialect: Dialect): string {
  const document = {
    isCustom: false,
    signals: signals.map(({ type, bit, sampleRate, blocksize, channels, labels }) => ({
      type,
      bit,
      sampleRate,
      blocksize,
      channels,
      downsampling: 1,
      numbers: labels.map((_, index) => index + 1),
      labels: [...labels],
    })),
    ...(subject === undefined ? {} : { subject: pairsOf(subject) }),
    ...(master === undefined ? {} : { masterRate: master.sampleRate, masterBlocksize: master.blocksize }),
  }
  return writeDocument(document, dialectNumber(dialect))
}

/** Writes a client's choice of what `offered` has. */
export function writeChoice(choices: readonly SignalChoice[], offered: MetaInfo): string {
  const signals = choices.map(({ type, channels, downsampling = 1 }) => {
    const signal = offered.signals.find((known) => known.type === type)
    return {
      type,
      bit: signal?.bit ?? -1,
      sampleRate: signal?.sampleRate ?? 0,
      blocksize: signal?.blocksize ?? 1,
      channels: channels.length,
      downsampling,
      numbers: channels.map((channel) => channel + 1),
      labels: channels.map((channel) => signal?.labels[channel] ?? String(channel + 1)),
    }
  })
  const { master } = offered
  const masterOf = master === undefined ? {} : { masterRate: master.sampleRate, masterBlocksize: master.blocksize }
  return writeDocument({ isCustom: true, signals, ...masterOf }, dialectNumber('libtia'))
}

/** The shapes by which a decoder detects blocks in the document's order. */
export function shapesOf({ signals }: MetaInfo): Shape[] {
  return signals
    .filter(({ bit, channels, blocksize }) => bit >= 0 && channels <= 65_535 && blocksize <= 65_535)
    .map(({ bit, channels, blocksize }) => ({ bit, channels, blocksize }))
}

/** What a signal is called whose type the meta info does not have. */
export function unknownSignal(bit: number, channels: number, blocksize: number): SignalInfo {
  const labels = Array.from({ length: channels }, (_, index) => String(index + 1))
  return { type: nameOfBit(bit), bit, sampleRate: 0, blocksize, channels, labels }
}

function subjectOf(pairs: readonly (readonly string[])[]): Subject {
  const { id = '', firstName = '', surname = '', ...other } = Object.fromEntries(pairs) as Record<string, string>
  return { id, firstName, surname, ...(Object.keys(other).length === 0 ? {} : { other }) }
}

function pairsOf({ id, firstName, surname, other = {} }: Subject): string[][] {
  return Object.entries({ id, firstName, surname, ...other })
}
