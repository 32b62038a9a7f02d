// The live page in Debian's Chromium: traces are drawn and scroll, losses are shown.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { chromium } from 'playwright-core'
import { TIA_SIG_EEG, TiAClient, TiAServer, TiASignalConfig } from '../../../ts/tia/index.js'
import { View } from '../../../ts/view/index.js'

const CHROMIUM = '/usr/bin/chromium'

test('traces scroll in Chromium', async (t) => {
  if (!existsSync(CHROMIUM)) throw new Error('chromium is not installed: run scripts/peers chromium')
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
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--headless', '--no-sandbox'] })
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 800 } })
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    await page.goto(view.url)
    await page.selectOption('#span', '2')
    await page.waitForFunction(() => document.querySelectorAll('.trace canvas').length === 8)
    const inked = () =>
      page.evaluate(() => {
        const canvas = document.querySelector<HTMLCanvasElement>('.trace canvas')
        const image = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height)
        let ink = 0
        // Blue and not grey: the trace and its band.
        for (let at = 0; image && at < image.data.length; at += 4) {
          if ((image.data[at + 2] ?? 0) - (image.data[at] ?? 0) > 40 && (image.data[at + 3] ?? 0) > 0) ink++
        }
        return { ink, picture: canvas?.toDataURL().length }
      })
    await page.waitForFunction(() =>
      /received [1-9]\d,\d{3}/.test(document.getElementById('counters')?.textContent ?? ''),
    )
    const first = await inked()
    t.true(first.ink > 100, `a trace is drawn: ${first.ink} pixels`)
    const names = await page.$$eval('nav label', (items) => items.map((item) => item.textContent?.trim().split(' ')[0]))
    t.deepEqual(names, labels)
    await page.fill('#filter', 'o1')
    t.is(await page.locator('nav label').count(), 1)
    await page.locator('nav input[type=checkbox]').check()
    await page.waitForFunction(() => document.querySelectorAll('.trace').length === 9)
    await page.fill('#filter', '')
    await page.waitForFunction(
      (before) => document.querySelector<HTMLCanvasElement>('.trace canvas')?.toDataURL().length !== before,
      first.picture,
    )
    t.regex((await page.textContent('#counters')) ?? '', /state connected.*lost 0 \(0\.00 %\)/)
    await page.waitForTimeout(1500) // for the picture alone
    const { SCREENSHOTS } = process.env
    if (SCREENSHOTS !== undefined) {
      mkdirSync(SCREENSHOTS, { recursive: true })
      await page.screenshot({ path: join(SCREENSHOTS, 'view.png') })
    }
    t.deepEqual(problems, [])
  } finally {
    await browser.close()
    await view.close()
    await client.close()
    await server.close()
  }
})
