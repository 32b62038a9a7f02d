/** Quality of a measurement: the bits of `flags` (IEEE 2664; the names of the reference implementations). */
export const StateFlags = {
  Normal: 0,
  BadData: 0x1,
  SuspectData: 0x2,
  OverRangeError: 0x4,
  UnderRangeError: 0x8,
  AlarmHigh: 0x10,
  AlarmLow: 0x20,
  WarningHigh: 0x40,
  WarningLow: 0x80,
  FlatlineAlarm: 0x100,
  ComparisonAlarm: 0x200,
  RocAlarm: 0x400,
  ReceivedAsBad: 0x800,
  CalculatedValue: 0x1000,
  CalculationError: 0x2000,
  CalculationWarning: 0x4000,
  ReservedQualityFlag: 0x8000,
  BadTime: 0x1_0000,
  SuspectTime: 0x2_0000,
  LateTimeAlarm: 0x4_0000,
  FutureTimeAlarm: 0x8_0000,
  UpSampled: 0x10_0000,
  DownSampled: 0x20_0000,
  DiscardedValue: 0x40_0000,
  ReservedTimeFlag: 0x80_0000,
  UserDefinedFlag1: 0x100_0000,
  UserDefinedFlag2: 0x200_0000,
  UserDefinedFlag3: 0x400_0000,
  UserDefinedFlag4: 0x800_0000,
  UserDefinedFlag5: 0x1000_0000,
  SystemError: 0x2000_0000,
  SystemWarning: 0x4000_0000,
  MeasurementError: 0x8000_0000,
} as const

const NAMES = Object.entries(StateFlags).filter(([, bit]) => bit !== 0)

/** The names of the bits that are set, or `Normal`. */
export function describeFlags(flags: number): string {
  const names = NAMES.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name)
  return names.length === 0 ? 'Normal' : names.join(', ')
}
