import test from 'ava'
import { nativeIdText, SignalTable } from '../../ts/batch/index.js'

test('a native id has one row, and later facts about it are kept', (t) => {
  const table = new SignalTable()
  const path = Buffer.from('weather/wind')
  t.is(table.add({ nativeId: path }), 0)
  t.is(table.add({ nativeId: Buffer.from('weather/rain') }), 1)
  t.is(table.add({ nativeId: path, unit: 'm/s' }), 0)
  t.is(table.length, 2)
  t.like(table.at(0), { id: 0, unit: 'm/s', scale: 1, rateHz: null })
  t.is(table.rowOf(Buffer.from('weather/rain')), 1)
  t.is(table.rowOf(Buffer.from('weather/snow')), undefined)
  t.deepEqual(
    [...table].map((signal) => signal.id),
    [0, 1],
  )
})

test('a native id reads as a GUID for STTP and as its path elsewhere', (t) => {
  const guid = Buffer.from('28bbb1fc343448d387a8bf5024c089d5', 'hex')
  t.is(nativeIdText(guid, 'sttp'), '28bbb1fc-3434-48d3-87a8-bf5024c089d5')
  t.is(nativeIdText(Buffer.from('node/field'), 'sisock'), 'node/field')
})
