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

test('a signal that is told later is asked for once, when it is looked at', (t) => {
  const table = new SignalTable()
  const asked: number[] = []
  const source = {
    at(number: number) {
      asked.push(number)
      return { nativeId: Buffer.from('of the source'), name: `signal ${number}`, meta: { number } }
    },
  }
  const ids = ['a', 'b', 'c'].map((id) => Buffer.from(id))
  for (const [number, id] of ids.entries()) t.is(table.addLater(id, source, number + 10), number)
  t.is(table.length, 3)
  t.is(table.rowOf(Buffer.from('b')), 1)
  t.deepEqual([...table.nativeIds()], ids)
  t.deepEqual(asked, [])
  t.like(table.at(1), { id: 1, name: 'signal 11', scale: 1, meta: { number: 11 } })
  t.deepEqual(table.at(1)?.nativeId, ids[1])
  t.is(table.at(1), table.at(1))
  t.is(table.at(3), undefined)
  t.deepEqual(asked, [11])
  t.is(table.add({ nativeId: ids[2] as Uint8Array, unit: 'Hz' }), 2)
  t.like(table.at(2), { name: 'signal 12', unit: 'Hz' })
  t.is(table.addLater(ids[2] as Uint8Array, source, 20), 2)
  t.deepEqual(
    [...table].map(({ name }) => name),
    ['signal 10', 'signal 11', 'signal 20'],
  )
})

test('a native id reads as a GUID for STTP and as its path elsewhere', (t) => {
  const guid = Buffer.from('28bbb1fc343448d387a8bf5024c089d5', 'hex')
  t.is(nativeIdText(guid, 'sttp'), '28bbb1fc-3434-48d3-87a8-bf5024c089d5')
  t.is(nativeIdText(Buffer.from('node/field'), 'sisock'), 'node/field')
})
