// npm start [-- COMMAND ...]: set-up, then the command line; without arguments its demonstration.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ROOT, setupOrExit } from './setup.mjs'

setupOrExit()
const args = process.argv.slice(2)
const child = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), ...(args.length > 0 ? args : ['demo'])], {
  stdio: 'inherit',
})
// Ctrl-C reaches the child by the terminal; the exit code is the child's.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
