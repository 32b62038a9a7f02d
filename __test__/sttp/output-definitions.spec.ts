import test from 'ava'
import { DataSet } from '../../ts/sttp/data-set.js'
import { Measurement } from '../../ts/sttp/measurement.js'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Ticks } from '../../ts/sttp/ticks.js'
import { temporary } from '../store/temporary.js'
import { SessionPair } from './session-pair.js'

test('signals are published without XML', async (t) => {
  const pair = new SessionPair(t)
  const { publisher, subscriber } = pair
  publisher.defineMetadata(DataSet.metadata())
  const device = publisher.defineOutputSource('Test Bench 1')
  t.is(device, 'TESTBENCH1')
  const frequency = publisher.defineOutputMeasurement(device, 'TESTBENCH1:F', 'frequency', 'FREQ')
  const angle = publisher.defineOutputMeasurement(device, 'bench va', 'angle of phase A', 'VPHA', 1)
  const own = publisher.defineOutputMeasurement(device, 'BENCHX', 'of my own', 'my type')
  t.is(publisher.defineOutputPhasor(device, 'Bus', 'V', 'A', 1), 1)
  t.is(publisher.defineOutputPhasor(device, 'Line', 'I', 'A', 2), 2)
  // The same again is the same.
  t.is(publisher.defineOutputSource('other name', 'Test Bench 1'), device)
  t.is(publisher.defineOutputMeasurement(device, 'BENCHVA', '', 'FREQ'), angle)
  t.is(publisher.defineOutputPhasor(device, 'Bus', 'V', 'A', 1), 1)
  t.is(publisher.getSignalId('TESTBENCH1F'), frequency)
  t.is(publisher.getSignalId('nothing'), undefined)

  await pair.connect("FILTER ActiveMeasurements WHERE Device = 'TESTBENCH1' AND SignalType <> 'FREQ'")
  const values: [string | undefined, number][] = []
  void subscriber.consume((batch) => {
    for (let row = 0; row < batch.length; row++) {
      values.push([batch.signals.at(batch.signal[row] ?? -1)?.name, batch.value[row] ?? Number.NaN])
    }
  })
  const now = Ticks.utcNow()
  publisher.publishMeasurements([frequency, angle, own].map((id, n) => new Measurement(id, n, now)))
  await pair.until(() => values.length === 2)
  t.deepEqual(values, [
    ['BENCHVA', 1],
    ['BENCHX', 2],
  ])
  t.like(subscriber.measurementMetadata({ signalId: angle.toUpperCase() }), {
    deviceAcronym: device,
    id: 'TESTBENCH1:2',
    signalReference: 'TESTBENCH1-PA1',
    signalAcronym: 'VPHA',
    phasorSourceIndex: 1,
  })
  t.is(subscriber.measurements.byPointTag('BenchX')?.signalId, own)
  t.is(subscriber.measurements.byId('TESTBENCH1:1')?.signalId, frequency)
  t.is(subscriber.measurements.bySignalReference('TESTBENCH1-FQ')?.signalId, frequency)
  t.deepEqual(
    subscriber.measurements.bySignalType('freq', device).map(({ signalId }) => signalId),
    [frequency],
  )
  t.is(subscriber.measurements.search('my own').length, 1)
  t.is(subscriber.adjustedValue({ signalId: own, value: 2 }), 2)
})

test('what is defined later is told to those who are connected, once a turn, and can be subscribed', async (t) => {
  const pair = new SessionPair(t)
  const { publisher, subscriber } = pair
  let changes = 0
  subscriber.configurationChanged = () => changes++
  await pair.connect()
  const before = publisher.subscribers[0]?.signals ?? 0
  const device = publisher.defineOutputSource('NEW')
  for (let k = 0; k < 50; k++) publisher.defineOutputMeasurement(device, `NEW!${k}`, '')
  await pair.until(() => publisher.subscribers[0]?.signals === before + 50)
  t.is(changes, 1)
  t.is(subscriber.measurements.records.length, before + 50)
})

test('definitions are kept in a file, with their ids', async (t) => {
  const path = `${await temporary(t)}/Metadata.xml`
  const [first, second] = [new Publisher(), new Publisher()]
  const device = first.defineOutputSource('KEPT')
  const id = first.defineOutputMeasurement(device, 'KEPT!1', 'one')
  t.true(await first.saveMetadata(path))
  t.true(await second.loadMetadata(path))
  t.is(second.getSignalId('KEPT!1'), id)
  t.is(second.defineOutputMeasurement(device, 'KEPT!1', 'one'), id)
  t.is(second.filterMetadata("SignalAcronym = 'CALC'").length, 1)
})

test('a value is adjusted by adder and multiplier, where metadata have them', async (t) => {
  const xml = `<?xml version="1.0"?><D><xs:schema id="D" xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="D">
    <xs:complexType><xs:choice><xs:element name="MeasurementDetail"><xs:complexType><xs:sequence>
    <xs:element name="SignalID" type="xs:string"/><xs:element name="PointTag" type="xs:string"/>
    <xs:element name="ID" type="xs:string"/><xs:element name="Adder" type="xs:double"/>
    <xs:element name="Multiplier" type="xs:double"/></xs:sequence></xs:complexType></xs:element></xs:choice>
    </xs:complexType></xs:element></xs:schema><MeasurementDetail>
    <SignalID>00000000-0000-4000-8000-0000000000aa</SignalID><PointTag>A</PointTag><ID>X:1</ID><Adder>-32</Adder>
    <Multiplier>0.5</Multiplier></MeasurementDetail></D>`
  const pair = new SessionPair(t)
  const [set, error] = DataSet.fromXml(xml)
  t.is(error, null)
  pair.publisher.defineMetadata(set as DataSet)
  await pair.connect()
  const signalId = '00000000-0000-4000-8000-0000000000AA'
  t.is(pair.subscriber.adjustedValue({ signalId, value: 100 }), 18)
})
