// The live page in Debian's Chromium: traces are drawn and scroll, losses and the newest events are shown.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { chromium, type Page } from 'playwright-core'
import { publish } from '../../../ts/stream-sea/index.js'
import { TIA_SIG_EEG, TiAClient, TiAServer, TiASignalConfig } from '../../../ts/tia/index.js'
import { View } from '../../../ts/view/index.js'
import { World } from '../../stream-sea/world.js'

const CHROMIUM = '/usr/bin/chromium'

/** Opens a page, checks that it has no errors, and takes its picture where SCREENSHOTS names a folder. */
async function looked(t: ExecutionContext, url: string, name: string, look: (page: Page) => Promise<void>) {
  if (!existsSync(CHROMIUM)) throw new Error('chromium is not installed: run scripts/peers chromium')
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--headless', '--no-sandbox'], timeout: 0 })
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 800 } })
    // What hangs ends by the time-out of the suite; how long pages take is the machine's affair.
    page.setDefaultTimeout(0)
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    await page.goto(url)
    await look(page)
    const { SCREENSHOTS } = process.env
    if (SCREENSHOTS !== undefined) {
      await page.waitForTimeout(1500) // for the picture alone
      mkdirSync(SCREENSHOTS, { recursive: true })
      await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) })
    }
    t.deepEqual(problems, [])
  } finally {
    await browser.close()
  }
}

test.serial('traces scroll in Chromium', async (t) => {
  const labels = ['Fp1', 'Fp2', 'F3', 'F4', 'C3', 'C4', 'P3', 'P4', 'O1', 'O2']
  let n = 0
  const callback = (): Float32Array => {
    const block = new Float32Array(80)
    for (let channel = 0; channel < 10; channel++) {
      for (let j = 0; j < 8; j++) {
        block[channel * 8 + j] = 40 * Math.sin(((n + j) * 2 * Math.PI * (channel + 1)) / 512) + 8 * Math.random()
      }
    }
    n += 8
    return block
  }
  const server = new TiAServer(['127.0.0.1', 0])
  await server.start([
    new TiASignalConfig({ channels: 10, sampleRate: 512, blocksize: 8, callback, id: 0, sigtype: TIA_SIG_EEG, labels }),
  ])
  const client = new TiAClient('127.0.0.1', server.port, { name: 'eeg-lab' })
  await client.connect()
  await client.startStreaming()
  const view = await View.open(client)
  void client.consume((batch) => view.write(batch))
  await looked(t, view.url, 'view', async (page) => {
    await page.selectOption('#span', '2')
    await page.waitForFunction(() => document.querySelectorAll('.trace canvas').length === 8)
    await page.waitForFunction(() =>
      /received [1-9]\d,\d{3}/.test(document.getElementById('counters')?.textContent ?? ''),
    )
    // Blue and not grey: the trace and its band.
    await page.waitForFunction(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('.trace canvas')
      const image = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height)
      let ink = 0
      for (let at = 0; image && at < image.data.length; at += 4) {
        if ((image.data[at + 2] ?? 0) - (image.data[at] ?? 0) > 40 && (image.data[at + 3] ?? 0) > 0) ink++
      }
      return ink > 100
    })
    const names = await page.$$eval('nav label', (items) => items.map((item) => item.textContent?.trim().split(' ')[0]))
    t.deepEqual(names, labels)
    await page.fill('#filter', 'o1')
    t.is(await page.locator('nav label').count(), 1)
    await page.locator('nav input[type=checkbox]').check()
    await page.waitForFunction(() => document.querySelectorAll('.trace').length === 9)
    await page.fill('#filter', '')
    const picture = await page.evaluate(() => document.querySelector<HTMLCanvasElement>('.trace canvas')?.toDataURL())
    await page.waitForFunction(
      (before) => document.querySelector<HTMLCanvasElement>('.trace canvas')?.toDataURL() !== before,
      picture,
    )
    t.regex((await page.textContent('#counters')) ?? '', /state connected.*lost 0 \(0\.00 %\)/)
  })
  await view.close()
  await client.close()
  await server.close()
})

test.serial('80 channels: as many as a page may show, one scale for all, in one window', async (t) => {
  const callback = (): Float32Array => Float32Array.from({ length: 640 }, (_, at) => Math.floor(at / 8) * Math.random())
  const server = new TiAServer(['127.0.0.1', 0])
  await server.start([
    new TiASignalConfig({ channels: 80, sampleRate: 512, blocksize: 8, callback, id: 0, sigtype: TIA_SIG_EEG }),
  ])
  const client = new TiAClient('127.0.0.1', server.port, { name: 'eeg-80' })
  await client.connect()
  await client.startStreaming()
  const view = await View.open(client)
  void client.consume((batch) => view.write(batch))
  await looked(t, view.url, 'view-80', async (page) => {
    const traces = (count: number) =>
      page.waitForFunction((wanted) => document.querySelectorAll('.trace canvas').length === wanted, count)
    await page.setViewportSize({ width: 1920, height: 1080 })
    await traces(8)
    await page.click('#none')
    await traces(0)
    await page.click('#all')
    await traces(64)
    t.is(await page.locator('nav input[type=checkbox]:disabled').count(), 16)
    t.is(await page.locator('.tight span').first().textContent(), 'channel1')
    t.true(await page.evaluate(() => (document.getElementById('plots') as HTMLElement).scrollHeight < 1100))
    await page.selectOption('#scale', 'same')
    // The 63rd channel is 62 times as high as the second: with one scale the second is a line.
    await page.waitForFunction(() => {
      const [second = 0, last = 0] = [1, 62].map((index) => {
        const canvas = document.querySelectorAll<HTMLCanvasElement>('.trace canvas')[index]
        const image = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height)
        return image?.data.filter((byte, at) => at % 4 === 3 && byte > 0).length ?? 0
      })
      return second > 100 && last > 4 * second
    })
    await page.fill('#filter', 'channel7')
    await page.click('#none')
    await traces(63)
  })
  await view.close()
  await client.close()
  await server.close()
})

test.serial('numbers in events are traces, the newest events are listed', async (t) => {
  const world = await World.open(t)
  await world.define('orders')
  const client = await world.client()
  const subscription = await client.subscribe({ stream: 'orders' })
  const view = await View.open(subscription)
  void subscription.consume((batch) => view.write(batch))
  let n = 0
  let isOver = false
  const publishing = (async () => {
    while (!isOver) {
      n++
      await publish({ ...world.remote, stream: 'orders', payload: { n, t: Math.sin(n / 10) } })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  t.teardown(async () => {
    isOver = true
    await publishing
  })
  await looked(t, view.url, 'view-events', async (page) => {
    await page.waitForFunction(() => document.querySelectorAll('#rows div').length > 20)
    t.regex((await page.textContent('#rows div')) ?? '', /orders\{"n":\d+,"t":-?\d/)
    // Numbers that come later are traces with the next word about the source.
    await page.waitForFunction(() => document.querySelectorAll('.trace .u-title').length === 3)
    const traces = await page.$$eval('.trace .u-title', (titles) => titles.map((title) => title.textContent))
    t.deepEqual(new Set(traces), new Set(['n · orders', 't · orders', 'rows a second']))
  })
  await view.close()
})
