import test from 'ava'
import { guidBytes, guidText, Measurement } from '../../ts/sttp/measurement.js'
import { describeFlags, StateFlags } from '../../ts/sttp/state-flags.js'
import { Ticks } from '../../ts/sttp/ticks.js'

test('a measurement reads as id, time of day, value and quality', (t) => {
  const midnight = Ticks.fromMs(Date.UTC(2024, 0, 2))
  const time = midnight + ((19n * 60n + 43n) * 60n + 53n) * Ticks.PER_SECOND + 6_000_000n
  const measurement = new Measurement('28bbb1fc-3434-48d3-87a8-bf5024c089d5', 516.5451, time)
  t.is(String(measurement), '28bbb1fc-3434-48d3-87a8-bf5024c089d5 @ 19:43:53.600 = 516.545 (Normal)')
  measurement.flags = StateFlags.BadData | StateFlags.MeasurementError
  measurement.timestamp |= Ticks.LEAP_SECOND
  t.true(String(measurement).endsWith('@ 19:43:53.600 = 516.545 (BadData, MeasurementError)'))
  t.is(measurement.dateTime.toISOString(), '2024-01-02T19:43:53.600Z')
})

test('every bit of the flags has one name', (t) => {
  t.is(describeFlags(0xffff_ffff).split(', ').length, 32)
  t.is(describeFlags(0), 'Normal')
})

test('a GUID is 16 bytes in the order of its text', (t) => {
  const bytes = guidBytes('{28BBB1FC-3434-48d3-87a8-bf5024c089d5}') as Uint8Array
  t.is(bytes[0], 0x28)
  t.is(guidText(bytes), '28bbb1fc-3434-48d3-87a8-bf5024c089d5')
  t.is(guidBytes('28bbb1fc'), undefined)
})

test('now lies in this century', (t) => {
  t.true(Ticks.utcNow() > Ticks.fromMs(Date.UTC(2024, 0, 1)) && Ticks.utcNow() < Ticks.fromMs(Date.UTC(2100, 0, 1)))
})
