// The judge of STTP vectors: each folder inside `sttp/` by its own rules.

import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Verdict } from './main.js'
import { judgeCompact } from './sttp/compact.js'
import { judgeFilter } from './sttp/filter.js'
import { judgeSessions } from './sttp/sessions.js'
import { judgeSic } from './sttp/sic.js'
import { judgeTssc } from './sttp/tssc.js'

const JUDGES: Readonly<Record<string, (folder: string) => Iterable<Verdict> | AsyncIterable<Verdict>>> = {
  compact: judgeCompact,
  filter: judgeFilter,
  sessions: judgeSessions,
  sic: judgeSic,
  tssc: judgeTssc,
}

/** Judges the folder of one kind of vectors, or the folder that holds them all. */
export async function* judge(folder: string): AsyncIterable<Verdict> {
  const own = JUDGES[basename(folder)]
  if (own !== undefined) {
    yield* own(folder)
    return
  }
  for (const [name, inside] of Object.entries(JUDGES)) {
    if (existsSync(join(folder, name))) yield* inside(join(folder, name))
  }
}
