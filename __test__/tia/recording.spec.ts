// The command line on real sockets: captured, decoded, replayed, recorded, served again: the same rows each time.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readState } from '../../ts/store/reader.js'
import { TIA_SIG_BUTTON, TIA_SIG_EEG, TiAConnectionHandler, TiAServer, TiASignalConfig } from '../../ts/tia/index.js'
import { measurand, type Ran } from '../cli/streams.js'
import { freePort } from '../free-port.js'

const ANCHOR = '1704067200000000000'
const PACKETS = 60
/** 8 samples a packet, and a button in every fifth. */
const ROWS = PACKETS * 8 + PACKETS / 5

function folder(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'tia-recording-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A server that gives its packets to the first client that starts a stream. */
async function served(t: ExecutionContext): Promise<number> {
  const server = new TiAServer(['127.0.0.1', 0], TiAConnectionHandler, {
    policy: 'block',
    udp: { port: await freePort() },
  })
  const eeg = new TiASignalConfig({
    channels: 2,
    sampleRate: 1000,
    blocksize: 4,
    id: 'eeg',
    sigtype: TIA_SIG_EEG,
    labels: ['Cz', 'Pz'],
  })
  const button = new TiASignalConfig({
    channels: 1,
    sampleRate: 0,
    blocksize: 1,
    id: 'button',
    isMaster: false,
    sigtype: TIA_SIG_BUTTON,
  })
  await server.start([eeg, button], false, { id: 's-1', firstName: 'Ada', surname: 'L' })
  t.teardown(() => server.close())
  void (async () => {
    while (server.receivers === 0 && server.state !== 'closed') await new Promise((resolve) => setTimeout(resolve, 2))
    for (let packet = 0; packet < PACKETS && server.state !== 'closed'; packet++) {
      if (packet % 5 === 0) server.push(button, [packet])
      const samples = Array.from({ length: 8 }, (_, at) => 1000 * Math.floor(at / 4) + 4 * packet + (at % 4))
      server.push(eeg, samples, [4000 * packet + 3000])
      server.flush()
      if (packet % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1))
    }
  })()
  return server.port
}

/** The rows of a tail, as far as they can be the same on another connection. */
function rowsOf({ lines }: Ran): unknown[] {
  return lines
    .filter(({ event }) => event === 'measurement')
    .map(({ id, name, time, value }) => [id, name, time, value])
}

/** What the server has, as it is to come out again. */
function wanted(): unknown[] {
  const rows: unknown[] = []
  for (let packet = 0; packet < PACKETS; packet++) {
    const time = BigInt(ANCHOR) + BigInt(4_000_000 * packet + 3_000_000)
    for (const [channel, name] of ['Cz', 'Pz'].entries()) {
      for (let j = 0; j < 4; j++) {
        const at = String(time - BigInt(1_000_000 * (3 - j)))
        rows.push([`eeg/${channel + 1}`, name, at, 1000 * channel + 4 * packet + j])
      }
    }
    if (packet % 5 === 0) rows.push(['button/1', 'channel1', String(time), packet])
  }
  return rows
}

/** A run that serves on a free port, and its port. */
async function serving(args: readonly string[]): Promise<{ port: string; ran: Promise<Ran> }> {
  let told: (port: string) => void = () => {}
  const port = new Promise<string>((resolve) => {
    told = resolve
  })
  const ran = measurand(args, [], undefined, (text) => {
    const bound = /(?:listening|serving tia) on port (\d+)/.exec(text)?.[1]
    if (bound !== undefined) told(bound)
  })
  const ended = ran.then(({ stderr }) => {
    throw new Error(`it has ended: ${stderr}`)
  })
  return { port: await Promise.race([port, ended]), ran }
}

const tail = (port: number | string, ...more: string[]): Promise<Ran> => {
  const url = `tia://127.0.0.1:${port}?anchor=${ANCHOR}`
  return measurand(['tail', url, '--limit', String(ROWS), '--json', ...more])
}

for (const transport of ['tcp', 'udp'] as const) {
  test.serial(`a capture over ${transport} is decoded, and replayed raw: the same rows`, async (t) => {
    const port = await served(t)
    const file = join(folder(t), 'session.cap')
    const url = `tia://127.0.0.1:${port}?transport=${transport}`
    const captured = await measurand(['capture', url, '-o', file, '--limit', String(ROWS)])
    t.is(captured.code, 0, captured.stderr)

    const decoded = await measurand(['decode', 'tia', file])
    t.is(decoded.code, 0, decoded.stderr)
    const messages = decoded.lines.filter(({ event }) => event === 'message')
    t.deepEqual(
      messages.slice(0, 4).map(({ type, direction, channel }) => [type, direction, channel]),
      [
        ['CheckProtocolVersion', 'c2s', 0],
        ['OK', 's2c', 0],
        ['GetMetaInfo', 'c2s', 0],
        ['MetaInfo', 's2c', 0],
      ],
    )
    const packets = messages.filter(({ type }) => type === 'packet')
    t.is(packets.length, PACKETS)
    t.true(packets.every(({ channel }) => channel === 1))
    const values = decoded.lines.filter(({ event }) => event === 'measurement').map(({ id, value }) => [id, value])
    t.deepEqual(
      values,
      wanted().map((row) => [(row as unknown[])[0], (row as unknown[])[3]]),
    )

    const to = 'tia://127.0.0.1?listen=1'
    const replayed = await serving(['replay', file, '--raw', '--speed', 'max', '--to', to])
    const again = await tail(replayed.port, '--transport', transport)
    t.is(again.code, 0, again.stderr)
    t.deepEqual(rowsOf(again), wanted())
    const { code, stderr } = await replayed.ran
    t.is(code, 0, stderr)
    t.regex(stderr, /replayed [\d,]+ bytes/)
  })
}

test.serial('a recording is served again: the same rows, labels and subject', async (t) => {
  const port = await served(t)
  const out = join(folder(t), 'rec')
  const url = `tia://127.0.0.1:${port}?anchor=${ANCHOR}`
  const recorded = await measurand(['record', url, '--out', out, '--name', 'lab', '--limit', String(ROWS)])
  t.is(recorded.code, 0, recorded.stderr)
  for (const speed of ['max', '10']) {
    const options = ['--port', '0', '--wait-subscriber', '--speed', speed]
    const again = await serving(['serve', 'tia', '--from', out, ...options])
    const tailed = await tail(again.port)
    t.is(tailed.code, 0, tailed.stderr)
    t.deepEqual(rowsOf(tailed), wanted())
    t.is((await again.ran).code, 0)
  }
  const bad = await measurand(['serve', 'tia', '--from', join(out, 'nothing')])
  t.is(bad.code, 1)
  t.regex(bad.stderr, /ERR_STORE_RECORDING_MISSING/)
})

test.serial('a recording that was cut inside a packet is served without that packet', async (t) => {
  const port = await served(t)
  const out = join(folder(t), 'rec')
  const url = `tia://127.0.0.1:${port}?anchor=${ANCHOR}`
  await measurand(['record', url, '--out', out, '--limit', '30'])
  const again = await serving(['serve', 'tia', '--from', out, '--port', '0', '--wait-subscriber', '--speed', 'max'])
  const tailed = await measurand(['tail', `tia://127.0.0.1:${again.port}?anchor=${ANCHOR}&state=1`, '--json'])
  t.is(tailed.code, 0, tailed.stderr)
  t.deepEqual(rowsOf(tailed), wanted().slice(0, 25))
  t.is((await again.ran).code, 0)
})

test.serial('the subject is in the session table, or its code, or nothing', async (t) => {
  for (const [options, subject] of [
    [[], { id: 's-1', firstName: 'Ada', surname: 'L' }],
    [['--subject', 'P-17'], { id: 'P-17' }],
    [['--no-subject'], undefined],
  ] as const) {
    const port = await served(t)
    const out = join(folder(t), 'rec')
    const recorded = await measurand([
      'record',
      `tia://127.0.0.1:${port}`,
      '--out',
      out,
      '--name',
      'lab',
      '--limit',
      '8',
      ...options,
    ])
    t.is(recorded.code, 0, recorded.stderr)
    const { session, signals } = await readState(join(out, 'lab'))
    t.deepEqual((JSON.parse(session?.meta ?? '{}') as { subject?: object }).subject, subject)
    const text = JSON.stringify({ ...session, start: '', end: '' })
    t.is(text.includes('Ada'), options.length === 0)
    t.deepEqual(
      Array.from(signals, ({ name, kind, rateHz }) => [name, kind, rateHz]),
      [
        ['Cz', 'eeg', 1000],
        ['Pz', 'eeg', 1000],
        ['channel1', 'button', null],
      ],
    )
  }
})
