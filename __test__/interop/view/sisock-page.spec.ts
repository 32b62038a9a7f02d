// The page of the sisock bridge in Debian's Chromium: nodes, fields, plots over a window, what is lost.
import { existsSync, mkdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { chromium } from 'playwright-core'
import { FolderNode, GrafanaBridge, LocalBackend, SourceNode } from '../../../ts/sisock/index.js'
import { HandmadeSource } from '../../sisock/handmade-source.js'

const CHROMIUM = '/usr/bin/chromium'
const S = 1_000_000_000n

test('windows of data nodes in Chromium', async (t) => {
  if (!existsSync(CHROMIUM)) throw new Error('chromium is not installed: run scripts/peers chromium')
  const folder = await mkdtemp(join(tmpdir(), 'measurand-page-'))
  const rows = Array.from({ length: 2880 }, (_, k) => {
    const time = 1_699_920_000 + 60 * k
    const hour = (time % 86_400) / 3600
    const temperature = 12 + 8 * Math.sin(((hour - 9) * Math.PI) / 12)
    const door = hour > 8 && hour < 18 && k % 90 < 20
    const mode = hour < 6 || hour > 22 ? 'night' : hour < 12 ? 'morning' : 'day'
    return k > 900 && k < 1100
      ? ''
      : `${time},${temperature.toFixed(3)},${(3 + (k % 37) / 9).toFixed(2)},${door},${mode}\n`
  })
  await writeFile(join(folder, 'roof.csv'), `time,temperature [C],wind [m/s],door,mode\n${rows.join('')}`)
  const source = new HandmadeSource('plant')
  source.signals.add({ nativeId: Buffer.from('p'), name: 'pressure', unit: 'bar' })
  await source.connect()
  const start = 1_699_920_000
  source.rows(
    ...Array.from({ length: 5000 }, (_, k) => [BigInt(start + k * 30) * S, 0, 1 + Math.cos(k / 200)] as const),
  )
  source.miss(BigInt(start + 100_000) * S, BigInt(start + 110_000) * S, 333)
  const nodes = [new FolderNode(folder, { node: 'weather' }), new SourceNode(source, { keep: 1e9 })]
  const bridge = new GrafanaBridge({ backend: new LocalBackend(nodes), token: 't0ken' })
  const url = `http://127.0.0.1:${await bridge.listen(0)}/`
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--headless', '--no-sandbox'], timeout: 0 })
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 800 } })
    page.setDefaultTimeout(0)
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))
    await page.goto(url)
    await page.waitForFunction(() => document.getElementById('problem')?.textContent?.includes('token'))
    await page.goto(`${url}#token=t0ken`)
    await page.reload()
    await page.waitForFunction(() => document.querySelectorAll('.trace canvas').length === 4)
    t.is(await page.inputValue('#window'), 'all', 'data that are old are shown whole')
    t.regex(await page.inputValue('#from'), /^2023-11-14 00:00:00$/)
    const names = await page.$$eval('nav label', (items) => items.map((item) => item.textContent?.trim().split(' ')[0]))
    t.deepEqual(names, ['roof.temperature', 'roof.wind', 'roof.door', 'roof.mode', 'pressure'])
    await page.fill('#filter', 'pres')
    t.is(await page.locator('nav label').count(), 1)
    await page.locator('nav input[type=checkbox]').check()
    await page.waitForFunction(() => document.querySelectorAll('.trace canvas').length === 5)
    await page.fill('#filter', '')
    t.regex((await page.textContent('#rows')) ?? '', /lost: 333/)
    const inked = (index: number) =>
      page.evaluate((at) => {
        const canvas = document.querySelectorAll<HTMLCanvasElement>('.trace canvas')[at]
        const image = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height)
        let ink = 0
        for (let at = 0; image && at < image.data.length; at += 4) {
          const [red = 0, green = 0, blue = 0, alpha = 0] = image.data.slice(at, at + 4)
          if (alpha > 0 && Math.max(red, green, blue) - Math.min(red, green, blue) > 40) ink++
        }
        return ink
      }, index)
    for (const index of [0, 1, 2, 3, 4]) t.true((await inked(index)) > 100, `trace ${index} is drawn`)
    const { SCREENSHOTS } = process.env
    if (SCREENSHOTS !== undefined) {
      mkdirSync(SCREENSHOTS, { recursive: true })
      await page.screenshot({ path: join(SCREENSHOTS, 'sisock-page.png') })
    }
    const over = (await page.locator('.trace .u-over').first().boundingBox()) as { x: number; y: number; width: number }
    await page.mouse.move(over.x + over.width / 4, over.y + 20)
    await page.mouse.down()
    await page.mouse.move(over.x + over.width / 2, over.y + 20, { steps: 4 })
    await page.mouse.up()
    await page.waitForFunction(() => (document.getElementById('window') as HTMLSelectElement).value === 'own')
    t.regex(await page.inputValue('#from'), /^2023-11-14 1[12]:/)
    await page.waitForFunction(() => document.querySelectorAll('.trace canvas').length === 5)
    if (SCREENSHOTS !== undefined) await page.screenshot({ path: join(SCREENSHOTS, 'sisock-zoomed.png') })
    await page.fill('#from', '2020-01-01 00:00:00')
    await page.fill('#to', '2020-01-02 00:00:00')
    await page.press('#to', 'Enter')
    await page.waitForFunction(() => document.querySelectorAll('.trace .empty').length === 5)
    await page.fill('#from', 'nonsense')
    await page.press('#from', 'Enter')
    t.regex((await page.textContent('#problem')) ?? '', /a time is/)
    t.deepEqual(problems, [])
  } finally {
    await browser.close()
    await bridge.close()
    for (const node of nodes) await node.close()
    await rm(folder, { recursive: true, force: true })
  }
})
