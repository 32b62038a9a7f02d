// The only file of this system that touches the addon.
import { SttpDataSet } from '../native/index.js'
import { fromNative, type MeasurandError } from '../session/index.js'

export { SttpDataSet }

/** The typed error of what the addon threw; an error of its other threads has the code in front of its text. */
export function asSttpError(thrown: unknown): MeasurandError {
  const { message } = thrown as Error
  const [, code, text] = /^(ERR_STTP_[A-Z_]+)\|(.*)$/s.exec(message) ?? []
  return fromNative(code === undefined ? thrown : Object.assign(new Error(text), { code }), 'sttp')
}
