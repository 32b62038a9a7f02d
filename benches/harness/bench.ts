/** What one round of one contender gave. */
export interface Sample {
  /** Measurements, packets, records, messages or calls: what the case counts. */
  readonly items: number
  readonly seconds: number
  /** CPU time of the contender's processes. */
  readonly cpuSeconds?: number
  /** Largest resident memory of the contender's processes. */
  readonly peakMiB?: number
}

/** One implementation in a case. */
export interface Contender {
  /** `measurand`, or the peer with its version. */
  readonly who: string
  /** One round; it has to verify what it measures and throw where something is wrong or missing. */
  round(): Promise<Sample>
}

/** A figure from elsewhere, for scale where the peer cannot be installed; `source` says from where. */
export interface Quoted {
  readonly who: string
  readonly quoted: number
  readonly source: string
}

/** One question: the same work by each contender. */
export interface Case {
  readonly case: string
  /** Of the value, such as `M measurements/s`. */
  readonly unit: string
  /** The value: a rate by default (items a second, divided by `per`), else what this makes of a sample. */
  readonly per?: number
  readonly value?: (sample: Sample) => number
  /** Whether less is better (latencies, memory). */
  readonly lowerIsBetter?: boolean
  readonly contenders: readonly (Contender | Quoted)[]
}

/** The benches of a system: `benches/<system>/bench.ts` exports one as `bench`. */
export interface Bench {
  readonly name: string
  /** `quick` asks for shorter rounds. Cases are made one after the other, so that set-up of one does not disturb another. */
  cases(options: { readonly quick: boolean }): AsyncIterable<Case>
}
