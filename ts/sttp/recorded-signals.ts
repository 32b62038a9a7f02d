import { createHash } from 'node:crypto'
import { type Signal, SignalTable } from '../batch/index.js'
import type { Source } from '../session/index.js'
import { DataSet } from './data-set.js'
import { guidText } from './measurement.js'

/** The signals of a recording, of whatever system, as STTP can name them: by GUIDs, in the same rows. */
export function recordedSignals(source: Pick<Source, 'signals' | 'system' | 'name'>): SignalTable {
  const table = new SignalTable()
  for (const signal of source.signals) {
    const { nativeId } = signal
    const isGuid = source.system === 'sttp' && nativeId.length === 16
    table.add({ ...signal, nativeId: isGuid ? nativeId : guidOf(`${source.system}/${source.name}`, nativeId) })
  }
  return table
}

/** Metadata of recorded signals: what was known of them when they were recorded, and what STTP needs beside. */
export function recordedMetadata(signals: SignalTable, source: string): DataSet {
  const set = DataSet.metadata()
  const acronym = source.toUpperCase().replace(/[^A-Z0-9_-]+/g, '_')
  const devices = new Set<string>()
  const phasors = new Set<string>()
  for (const signal of signals) {
    const { rateHz, name, kind } = signal
    const device = textOf(signal, 'device') || acronym
    if (!devices.has(device)) {
      devices.add(device)
      set.push('DeviceDetail', {
        NodeID: guidText(guidOf(source, Buffer.from('node'))),
        UniqueID: guidText(guidOf(source, Buffer.from(device))),
        Acronym: device,
        Name: device,
        IsConcentrator: false,
        AccessID: devices.size,
        ProtocolName: 'STTP',
        ...(rateHz === null ? {} : { FramesPerSecond: Math.max(1, Math.round(rateHz)) }),
        ...UPDATED,
      })
    }
    const reference = textOf(signal, 'reference') || `${device}-AV${signal.id + 1}`
    const [, index = '0'] = /-P[MA](\d+)$/.exec(reference) ?? []
    set.push('MeasurementDetail', {
      DeviceAcronym: device,
      ID: textOf(signal, 'key') || textOf(signal, 'id') || `${acronym}:${signal.id + 1}`,
      SignalID: guidText(signal.nativeId),
      PointTag: name || guidText(signal.nativeId),
      SignalReference: reference,
      SignalAcronym: kind.toUpperCase() || 'ALOG',
      PhasorSourceIndex: Number(index),
      Description: textOf(signal, 'description'),
      Internal: true,
      ...UPDATED,
    })
    const label = textOf(signal, 'phasor')
    if (label === '' || phasors.has(`${device} ${index}`)) continue
    phasors.add(`${device} ${index}`)
    set.push('PhasorDetail', {
      ID: phasors.size,
      DeviceAcronym: device,
      Label: label,
      Type: kind.startsWith('V') ? 'V' : 'I',
      Phase: textOf(signal, 'phase') || '+',
      SourceIndex: Number(index),
      UpdatedOn: UPDATED.UpdatedOn,
    })
  }
  set.push('SchemaVersion', { VersionNumber: 14 })
  return set
}

const UPDATED = { Enabled: true, UpdatedOn: '2024-01-01T00:00:00.0Z' } as const

function textOf({ meta }: Signal, name: string): string {
  return meta[name] === undefined || meta[name] === null ? '' : String(meta[name])
}

/** A GUID that the same name always has, made as RFC 4122 makes those of version 5. */
function guidOf(space: string, name: Uint8Array): Buffer {
  const bytes = createHash('sha1').update(`measurand/${space}/`).update(name).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x50
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return bytes
}
