import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { MalformedError, UsageError } from '../../ts/session/index.js'
import { DataSet } from '../../ts/sttp/data-set.js'

const xml = readFileSync(join(import.meta.dirname, '..', 'vectors', 'sttp', 'metadata6.xml'))

function metadata(): DataSet {
  const [set, error] = DataSet.fromXml(xml)
  if (set === null) throw error
  return set
}

test('metadata are read, as text, as gzip and in another thread', async (t) => {
  const counts = (set: DataSet) => Object.fromEntries(set.tables.map(({ name, rows }) => [name, rows]))
  const expected = { DeviceDetail: 1, MeasurementDetail: 6, PhasorDetail: 1, SchemaVersion: 1 }
  t.deepEqual(counts(metadata()), expected)
  t.deepEqual(counts(DataSet.fromXml(xml.toString())[0] as DataSet), expected)
  t.deepEqual(counts(await DataSet.read(gzipSync(xml))), expected)
})

test('records have the names of the columns in camelCase', (t) => {
  t.like(metadata().records('MeasurementDetail', Uint32Array.of(1))[0], {
    signalId: '00000000-0000-4000-8000-000000000001',
    pointTag: 'INTEROP_DEV!T1',
    id: 'INTEROP:2',
    signalAcronym: 'VPHM',
    phasorSourceIndex: 1,
    enabled: true,
    updatedOn: '2024-01-02T03:04:05.125Z',
  })
})

test('what is written is read again with the same rows', (t) => {
  const set = metadata()
  const again = DataSet.fromXml(set.toXml())[0] as DataSet
  for (const { name } of set.tables) t.deepEqual(again.records(name), set.records(name))
})

test('subscriptions filter the active measurements', (t) => {
  const set = metadata()
  set.deriveActiveMeasurements()
  const ids = (filter: string) => set.signalIds(filter).map((id) => Buffer.from(id).readUInt32BE(12))
  t.deepEqual(ids("FILTER ActiveMeasurements WHERE SignalType = 'FREQ'"), [0, 3])
  t.deepEqual(ids("FILTER TOP 2 ActiveMeasurements WHERE EngineeringUnits = 'Volts' ORDER BY PointTag DESC"), [4, 1])
  t.deepEqual(ids('00000000-0000-4000-8000-000000000005; INTEROP:1'), [5, 0])
  t.deepEqual([...set.select("SignalAcronym <> 'FREQ'", 'MeasurementDetail')], [1, 2, 4, 5])
})

test('a refresh with filters gets only the rows that they select', (t) => {
  const subset = metadata().filtered("FILTER MeasurementDetail WHERE SignalAcronym = 'VPHA'")
  t.is(subset.table('MeasurementDetail')?.rows, 2)
  t.is(subset.table('DeviceDetail')?.rows, 1)
})

test('expressions are evaluated with either precedence', (t) => {
  t.deepEqual(metadata().evaluate('2 + 3 * 4'), { kind: 'Int32', text: '20' })
  t.deepEqual(metadata().evaluate('2 + 3 * 4', undefined, 'standard'), { kind: 'Int32', text: '14' })
  t.deepEqual(metadata().evaluate('NULL'), { kind: 'Boolean', text: null })
  const place = { table: 'DeviceDetail', row: 0 }
  t.deepEqual(metadata().evaluate('Longitude < 0 AND Acronym LIKE "x"'.replaceAll('"', "'"), place).text, 'false')
})

test('rows can be added where they fit', (t) => {
  const set = DataSet.metadata()
  set.push('SchemaVersion', { VersionNumber: 14 })
  t.deepEqual(set.records('SchemaVersion'), [{ versionNumber: 14 }])
  t.is(set.table('schemaversion')?.rows, 1)
  t.throws(() => set.push('SchemaVersion', { VersionNumber: 'x' }), { instanceOf: MalformedError })
  t.throws(() => set.push('SchemaVersion', { Nothing: 1 }), { code: 'ERR_STTP_DATA_SET_COLUMN' })
  t.throws(() => set.push('Nowhere', {}), { instanceOf: UsageError, code: 'ERR_STTP_DATA_SET_TABLE' })
})

test('faults are typed and say where', async (t) => {
  t.like(DataSet.fromXml('<a><b>')[1], { code: 'ERR_STTP_DATA_SET_TRUNCATED', system: 'sttp' })
  t.like(DataSet.fromXml('<a></b>')[1], { code: 'ERR_STTP_DATA_SET_XML' })
  t.like(DataSet.fromXml(xml, 100)[1], { code: 'ERR_STTP_DATA_SET_LIMIT' })
  await t.throwsAsync(DataSet.read(gzipSync(xml).subarray(0, 200)), { instanceOf: MalformedError })
  const error = t.throws(() => metadata().signalIds('FILTER MeasurementDetail WHERE\n Nothing = 1'))
  t.like(error, { code: 'ERR_STTP_FILTER_EXPRESSION' })
  t.regex(error?.message ?? '', /^line 2, column 2: there is no column "Nothing"/)
})
