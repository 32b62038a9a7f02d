#!/usr/bin/env node
import { run } from './run.js'

const interrupt = new AbortController()
const onInterrupt = (): void => {
  if (interrupt.signal.aborted) process.exit(130)
  process.stderr.write('measurand: stored is what has come; once more to stop at once\n')
  interrupt.abort()
}
process.on('SIGINT', onInterrupt)
process.on('SIGTERM', onInterrupt)

process.exit(await run(process.argv.slice(2), process, interrupt.signal))
