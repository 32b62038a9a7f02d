import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { chromium } from 'playwright-core'
import { StreamSeaClient, StreamSeaServer } from '../../../ts/stream-sea/index.js'

test('Chromium: the page of the server shows streams, groups and their lag, and last messages', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'stream-sea-'))
  const server = await StreamSeaServer.open({ data })
  const clientSecret = await server.addClient('main', 'app123')
  const [, port] = await server.listen(0)
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'], timeout: 0 })
  t.teardown(async () => {
    await browser.close()
    await server.close()
    await rm(data, { recursive: true })
  })
  await server.define('main', { name: 'boiler_data', version: 3, fields: [{ name: 'note', type: 'string' }] })
  await using client = new StreamSeaClient({
    remoteHost: '127.0.0.1',
    remotePort: port,
    clientId: 'app123',
    clientSecret,
  })
  await client.connect()
  const group = await client.subscribe({ stream: 'boiler_data', group: 'workers', ack: true, from: 'start' })
  await client.publish({
    stream: 'boiler_data',
    payload: [{ note: '<b>bold</b>' }, { note: 'two' }, { note: 'three' }],
  })
  await group.acknowledge(0)

  const page = await browser.newPage()
  page.setDefaultTimeout(0)
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(String(error)))
  await page.goto(`http://127.0.0.1:${port}/`)
  await page.fill('#client', 'app123')
  await page.fill('#secret', 'wrong')
  await page.click('button')
  await page.waitForFunction(() => document.querySelector('#error')?.textContent?.includes('invalid'))
  await page.fill('#secret', clientSecret)
  await page.click('button')
  await page.waitForSelector('#messages tr')
  const texts = (id: string) => page.$$eval(`#${id} td`, (cells) => cells.map((cell) => cell.textContent))
  t.deepEqual((await texts('streams')).slice(0, 4), ['boiler_data', '3', '3', '3'])
  t.deepEqual(await texts('groups'), ['boiler_data', 'app123', 'workers', '1', '2', '1'])
  const messages = await texts('messages')
  t.deepEqual([messages[0], messages[2], messages[8]], ['2', '{"note":"three"}', '{"note":"<b>bold</b>"}'])
  await client.publish({ stream: 'boiler_data', payload: { note: 'four' } })
  await page.waitForFunction(() => document.querySelector('#messages td')?.textContent === '3')
  const shot = process.env['SCREENSHOTS']
  if (shot !== undefined) await page.screenshot({ path: join(shot, 'stream-sea-page.png') })
  t.deepEqual(errors, [])
})
