/** An option of a source: a query parameter of its URL and a long option of the command line. */
export interface OptionEntry {
  /** What stands for the value in help, as `PORT`; an option without is a switch. */
  readonly value?: string
  /** The letter behind a single hyphen. */
  readonly short?: string
  /** One line of help. */
  readonly line: string
}

/** Options by name, in lower case with hyphens. */
export type OptionTable = Readonly<Record<string, OptionEntry>>
