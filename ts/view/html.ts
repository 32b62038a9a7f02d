import { scriptOf } from './assets.js'
import { page } from './page.js'

/** How pages look. */
export const STYLE = `
:root { color-scheme: light; font: 14px/1.4 system-ui, sans-serif }
* { box-sizing: border-box }
body { margin: 0; display: grid; grid-template: auto minmax(0, 1fr) auto / 230px minmax(0, 1fr); height: 100vh; background: #fff; color: #111827 }
header { grid-column: 1 / 3; padding: 8px 14px; border-bottom: 1px solid #d1d5db; display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: center }
h1 { font-size: 16px; margin: 0 }
h1::before { content: ''; display: inline-block; width: 10px; height: 10px; margin-right: 8px; border-radius: 5px; background: #dc2626 }
.connected h1::before { background: #16a34a }
#counters { display: flex; flex-wrap: wrap; gap: 2px 16px; color: #6b7280; font-variant-numeric: tabular-nums }
#counters b { color: #111827 }
#counters .warn b { color: #b91c1c }
nav { grid-row: 2 / 4; border-right: 1px solid #d1d5db; padding: 8px; overflow: auto; display: flex; flex-direction: column; gap: 6px }
nav p { margin: 0; display: flex; gap: 6px; align-items: center }
nav p input { min-width: 0; flex: 1 }
nav label { display: block; padding: 1px 0; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
nav small { color: #6b7280 }
main { overflow: auto; padding: 4px }
#rows { grid-column: 2; height: 30vh; overflow: auto; border-top: 1px solid #d1d5db; padding: 4px 8px; font: 12px/1.5 ui-monospace, monospace }
#rows[hidden] { display: none }
#rows div { white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
#rows time { color: #6b7280 }
#rows b { font-weight: 600; padding: 0 6px }
.tight { position: relative }
.tight span { position: absolute; left: 4px; top: 50%; transform: translateY(-50%); width: 58px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; text-align: right; font-size: 11px; line-height: 1 }
.tight:last-child span { top: calc(50% - 13px) }
@media (max-width: 700px) {
  body { grid-template: auto auto minmax(0, 1fr) auto / minmax(0, 1fr) }
  header, #rows { grid-column: 1 }
  #counters { min-height: 63px }
  nav { grid-row: auto; border-right: 0; border-bottom: 1px solid #d1d5db; max-height: 22vh }
}
.trace .u-title { font-size: 12px; font-weight: 600; line-height: 1.2; text-align: left; padding-left: 68px }
`

/** The page. */
export const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>measurand</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/uplot.css">
<style>${STYLE}</style>
</head>
<body>
<header>
<h1 id="title">measurand</h1>
<label>span <select id="span"><option value="2">2 s</option><option value="10" selected>10 s</option><option value="60">1 min</option><option value="600">10 min</option></select></label>
<label>scale <select id="scale"><option value="own">each its own</option><option value="same">the same for all</option></select></label>
<button id="pause" type="button">pause</button>
<div id="counters"></div>
</header>
<nav aria-label="signals"><p><input id="filter" type="search" placeholder="filter" aria-label="filter signals"><button id="all" type="button">all</button><button id="none" type="button">none</button></p><div id="list"></div></nav>
<main id="plots"></main>
<section id="rows" aria-label="newest rows" hidden></section>
<script src="/uplot.js"></script>
<script src="/page.js"></script>
</body>
</html>
`

/** The page's script. */
export const SCRIPT = scriptOf(page)
