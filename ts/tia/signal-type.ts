import { signalBit, signalName } from './codec.js'
import { tiaError } from './error-codes.js'

/** Electroencephalogram. */
export const TIA_SIG_EEG = 0x0000_0001
/** Electromyogram. */
export const TIA_SIG_EMG = 0x0000_0002
/** Electrooculogram. */
export const TIA_SIG_EOG = 0x0000_0004
/** Electrocardiogram. */
export const TIA_SIG_ECG = 0x0000_0008
/** Heart rate. */
export const TIA_SIG_HR = 0x0000_0010
/** Blood pressure. */
export const TIA_SIG_BP = 0x0000_0020
/** Buttons, aperiodic. */
export const TIA_SIG_BUTTON = 0x0000_0040
/** Axes of a joystick, aperiodic. */
export const TIA_SIG_JOYSTICK = 0x0000_0080
/** Sensors. */
export const TIA_SIG_SENSORS = 0x0000_0100
/** Near-infrared spectroscopy. */
export const TIA_SIG_NIRS = 0x0000_0200
/** Functional magnetic resonance imaging. */
export const TIA_SIG_FMRI = 0x0000_0400
/** Axes of a mouse, aperiodic; late libtia: key codes. */
export const TIA_SIG_MOUSE = 0x0000_0800
/** Buttons of a mouse, aperiodic. */
export const TIA_SIG_MOUSE_BTN = 0x0000_1000
/** For the user. */
export const TIA_SIG_USER_1 = 0x0001_0000
/** For the user. */
export const TIA_SIG_USER_2 = 0x0002_0000
/** For the user. */
export const TIA_SIG_USER_3 = 0x0004_0000
/** For the user. */
export const TIA_SIG_USER_4 = 0x0008_0000
/** A signal of no type. */
export const TIA_SIG_UNDEFINED = 0x0010_0000
/** Events. */
export const TIA_SIG_EVENT = 0x0020_0000

/** Whose names of signal types a server writes; every reader of ours takes all. */
export type Dialect = 'pytia' | 'libtia' | 'pytiaclient'

const DIALECTS: readonly Dialect[] = ['pytia', 'libtia', 'pytiaclient']

/** The number by which the addon knows a dialect. */
export function dialectNumber(dialect: Dialect): number {
  const number = DIALECTS.indexOf(dialect)
  if (number < 0) throw tiaError('ERR_TIA_OPTION_INVALID', `dialect: one of ${DIALECTS.join(', ')}, not ${dialect}`)
  return number
}

/** The name of a signal type's bit. */
export function nameOfBit(bit: number, dialect: Dialect = 'pytia'): string {
  return signalName(bit, dialectNumber(dialect))
}

/** The mask (`TIA_SIG_...`) of a type's name in any dialect. */
export function signalTypeOf(name: string): number {
  const bit = signalBit(name)
  if (bit < 0) throw tiaError('ERR_TIA_SIGNAL_TYPE', `there is no signal type ${name}`)
  return 2 ** bit
}

/** The bit of a mask of one type. */
export function bitOf(sigtype: number): number {
  const bit = Math.log2(sigtype)
  if (!Number.isInteger(bit) || bit < 0 || bit > 31) {
    throw tiaError('ERR_TIA_SIGNAL_TYPE', `${sigtype} is no mask of one signal type`)
  }
  return bit
}
