// Every example of TiA, run as a user runs it: a process of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { recordingInfo } from '../../ts/store/index.js'
import { Example } from '../example.js'

const on = (port: string, cwd: string) => ({ env: { PORT: port }, cwd })

/** An example that serves on a free port, and its port. */
async function serving(t: ExecutionContext, name: string, cwd: string): Promise<[Example, string]> {
  const server = new Example(t, name, [], on('0', cwd))
  return [server, await server.printed(/listening on port (\d+)/)]
}

function folder(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'tia-examples-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

test.serial("pytia's page: the server and the client", async (t) => {
  const cwd = folder(t)
  const [server, port] = await serving(t, 'tia-server', cwd)
  const client = new Example(t, 'tia-client', [], on(port, cwd))
  t.is(await client.ended, 0, client.output)
  t.regex(client.output, /Packet contains 1 signals\nNumber\/timestamp\/ID: {2}0n \d+n 0n\nChannel counts: {2}\[ 3 \]/)
  t.is(await server.interrupt(), 0, server.output)
})

test.serial('a synthetic EEG, recorded and looked at', async (t) => {
  const cwd = folder(t)
  const [server, port] = await serving(t, 'tia-eeg-server', cwd)
  const recorder = new Example(t, 'tia-recorder', [], on(port, cwd))
  const view = new Example(t, 'tia-view', [], on(port, cwd))
  const url = await view.printed(/http:\/\/127\.0\.0\.1:\d+\//)
  const body = await new Promise<string>((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      response.on('end', () => resolve(text))
    }).on('error', reject)
  })
  t.regex(body, /<main id="plots">/)
  t.is(await view.interrupt(), 0, view.output)
  t.is(await recorder.ended, 0, recorder.output)
  t.regex(recorder.output, /complete/)
  const { sources } = await recordingInfo(join(cwd, 'recordings/tia'))
  t.is(sources.length, 1)
  const rows = sources[0]?.tables.reduce((sum, table) => sum + table.rows, 0) ?? 0
  // 16 channels at 512 Hz for five seconds, less what the start took.
  t.true(rows > 16 * 512 * 2, String(rows))
  t.is(await server.interrupt(), 0, server.output)
})
