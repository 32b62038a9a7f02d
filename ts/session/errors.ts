/** The five systems, and the rooms of the house that fail on their own account. */
export type System = 'sttp' | 'tia' | 'cdtp' | 'stream-sea' | 'sisock' | 'session' | 'store' | 'view' | 'ingest' | 'cli'

/** What an error says beside its text. */
export interface ErrorDetails {
  /** The system in which it happened; by default the one whose code it is. */
  readonly system?: System
  /** Where in the bytes. */
  readonly offset?: number
  readonly cause?: unknown
}

/**
 * What every error of this package is.
 *
 * ```ts
 * try {
 *   await subscriber.connect('sttp://127.0.0.1:7165')
 * } catch (error) {
 *   if (error instanceof TransportError && error.code === 'ERR_SESSION_CONNECT_REFUSED') await later()
 *   else throw error
 * }
 * ```
 *
 * `code` is the interface and is listed in `docs/errors.md`; the text is not. `instanceof` works across copies of the
 * package in one process.
 */
export class MeasurandError extends Error {
  readonly code: string
  readonly system: System
  /** Where in the bytes. */
  readonly offset: number | undefined

  constructor(code: string, message: string, system: System, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.code = code
    this.system = details.system ?? system
    this.offset = details.offset
  }

  static {
    brandAs(MeasurandError, 'MeasurandError')
  }
}

/** The bytes are wrong. */
export class MalformedError extends MeasurandError {
  static {
    brandAs(MalformedError, 'MalformedError')
  }
}

/** The peer does what its protocol does not allow, or refuses. */
export class ProtocolError extends MeasurandError {
  static {
    brandAs(ProtocolError, 'ProtocolError')
  }
}

/** A bound that an option sets was reached. */
export class LimitError extends MeasurandError {
  static {
    brandAs(LimitError, 'LimitError')
  }
}

/** The caller asks for what cannot be. */
export class UsageError extends MeasurandError {
  static {
    brandAs(UsageError, 'UsageError')
  }
}

/** The network does not do it. */
export class TransportError extends MeasurandError {
  static {
    brandAs(TransportError, 'TransportError')
  }
}

/** The disk, the database or the bus behind a sink does not do it. */
export class StorageError extends MeasurandError {
  static {
    brandAs(StorageError, 'StorageError')
  }
}

/** The brand is a registered symbol, and so the same in every copy of the package. */
function brandAs(target: typeof MeasurandError, name: string): void {
  const brand = Symbol.for(`measurand.${name}`)
  Object.defineProperty(target.prototype, brand, { value: true })
  Object.defineProperty(target.prototype, 'name', { value: name, writable: true, configurable: true })
  Object.defineProperty(target, Symbol.hasInstance, {
    value(this: typeof MeasurandError, value: unknown): boolean {
      if (this !== target) return Function.prototype[Symbol.hasInstance].call(this, value)
      return typeof value === 'object' && value !== null && brand in value
    },
  })
}

/** The class for each who can be at fault. */
export interface ErrorClasses {
  readonly malformed: typeof MalformedError
  readonly protocol: typeof ProtocolError
  readonly limit: typeof LimitError
  readonly usage: typeof UsageError
  readonly transport: typeof TransportError
  readonly storage: typeof StorageError
}

/** Who is at fault, which is the class of the error. */
export type Blame = keyof ErrorClasses

const CLASSES: ErrorClasses = {
  malformed: MalformedError,
  protocol: ProtocolError,
  limit: LimitError,
  usage: UsageError,
  transport: TransportError,
  storage: StorageError,
}

/** Codes with who is at fault and one line that says what happened and what to do. */
export type ErrorCodes = Readonly<Record<`ERR_${string}`, readonly [blame: Blame, line: string]>>

/** Makes the errors of one system: the class follows from the code. */
export type ErrorMaker<T extends ErrorCodes> = <C extends keyof T>(
  code: C,
  message: string,
  details?: ErrorDetails,
) => InstanceType<ErrorClasses[T[C] extends readonly [infer B extends Blame, string] ? B : never]>

const registry = new Map<string, { readonly system: System; readonly blame: Blame; readonly line: string }>()

/**
 * Registers the codes of a system, its addon's among them, and gives the function that makes its errors. Every room
 * has them in one file `error-codes.ts`.
 *
 * ```ts
 * export const sttpError = defineErrors('sttp', {
 *   ERR_STTP_FRAME_LENGTH: ['limit', 'A frame is longer than `maxFrameBytes`. Raise it if the publisher is trusted.'],
 * })
 * throw sttpError('ERR_STTP_FRAME_LENGTH', `a frame of ${length} bytes`, { offset })
 * ```
 */
export function defineErrors<const T extends ErrorCodes>(system: System, codes: T): ErrorMaker<T> {
  for (const [code, [blame, line]] of Object.entries(codes)) {
    if (registry.has(code)) throw new RangeError(`the code ${code} is defined twice`)
    registry.set(code, { system, blame, line })
  }
  return ((code, message, details) => {
    const [blame] = codes[code as `ERR_${string}`] as readonly [Blame, string]
    return new CLASSES[blame](code as string, message, system, details)
  }) as ErrorMaker<T>
}

/** The registered codes, in alphabetical order. */
export function errorCodes(): { code: string; system: System; blame: Blame; line: string }[] {
  return [...registry].map(([code, entry]) => ({ code, ...entry })).sort((a, b) => (a.code < b.code ? -1 : 1))
}

/** An error of the addon as the class that its code is registered with; an error of ours stays what it is. */
export function fromNative(error: unknown, system: System, offset?: number): MeasurandError {
  if (error instanceof MeasurandError) return error
  const { code, message } = error as { code?: unknown; message?: unknown }
  const entry = typeof code === 'string' ? registry.get(code) : undefined
  const details = offset === undefined ? { cause: error } : { cause: error, offset }
  const text = typeof message === 'string' ? message : String(error)
  if (entry === undefined)
    return new MeasurandError(typeof code === 'string' ? code : 'ERR_SESSION_UNKNOWN', text, system, details)
  return new CLASSES[entry.blame](code as string, text, system, details)
}
