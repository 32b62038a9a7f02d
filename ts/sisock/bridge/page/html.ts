import { scriptOf } from '../../../view/assets.js'
import { STYLE } from '../../../view/html.js'
import { page } from './page.js'

const OWN = `
nav details { border-bottom: 1px solid #e5e7eb; padding-bottom: 4px }
nav summary { cursor: pointer; font-weight: 600 }
nav summary small { font-weight: 400 }
header input, header select, header button { font: inherit; padding: 1px 6px }
.trace .error { color: #b91c1c; padding-left: 68px }
.trace .empty { color: #6b7280; padding-left: 68px }
#rows { height: auto; max-height: 18vh }
#problem { color: #b91c1c }
#hint { color: #6b7280; padding: 24px }
`

/** The page of a bridge. */
export const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>measurand: data nodes</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/uplot.css">
<style>${STYLE}${OWN}</style>
</head>
<body>
<header>
<h1>data nodes</h1>
<label>window <select id="window"><option value="300">5 min</option><option value="3600" selected>1 h</option><option value="21600">6 h</option><option value="86400">1 d</option><option value="604800">7 d</option><option value="2592000">30 d</option><option value="all">all</option><option value="own">chosen</option></select></label>
<label>from <input id="from" size="20" aria-label="from, UTC"></label>
<label>to <input id="to" size="20" aria-label="to, UTC"></label> UTC
<button id="earlier" type="button" title="earlier">&larr;</button>
<button id="later" type="button" title="later">&rarr;</button>
<button id="wider" type="button">wider</button>
<label><input id="live" type="checkbox"> follow</label>
<span id="problem" role="alert"></span>
</header>
<nav aria-label="fields"><input id="filter" type="search" placeholder="filter" aria-label="filter fields"><div id="list"></div></nav>
<main id="plots"></main>
<section id="rows" aria-label="annotations" hidden></section>
<script src="/uplot.js"></script>
<script src="/page.js"></script>
</body>
</html>
`

/** The page's script. */
export const SCRIPT = scriptOf(page)
