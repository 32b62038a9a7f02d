import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { viewError } from './error-codes.js'

/** What a page is made of, by path. */
export type Assets = ReadonlyMap<string, readonly [type: string, body: string | Buffer]>

/** What browsers are told beside the body: nothing from elsewhere is loaded, and nothing is kept. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:",
  'x-content-type-options': 'nosniff',
}

/** The page, its script and uPlot. */
export async function loadAssets(html: string, script: string): Promise<Assets> {
  let folder: string
  try {
    folder = dirname(createRequire(import.meta.url).resolve('uplot/package.json'))
  } catch (cause) {
    throw viewError('ERR_VIEW_UPLOT_MISSING', 'the package uplot is not installed: npm install uplot', { cause })
  }
  const javascript = 'text/javascript; charset=utf-8'
  return new Map<string, readonly [type: string, body: string | Buffer]>([
    ['/', ['text/html; charset=utf-8', html]],
    ['/page.js', [javascript, script]],
    ['/uplot.js', [javascript, await readFile(join(folder, 'dist', 'uPlot.iife.min.js'))]],
    ['/uplot.css', ['text/css; charset=utf-8', await readFile(join(folder, 'dist', 'uPlot.min.css'))]],
  ])
}

/** The script of a page: a function as text. A loader that keeps names of functions calls `__name` in it. */
export function scriptOf(page: () => void): string {
  return `(() => { const __name = (target) => target; (${page})() })()\n`
}
