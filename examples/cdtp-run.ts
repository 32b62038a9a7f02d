// A run from a script: every satellite of the group is configured, launched, started, stopped after some seconds, and
// shut down at last.
import { Controller } from '../ts/cdtp/index.js'
import { sleep, systemClock } from '../ts/session/index.js'

const [group = 'lab', seconds = '3', ...wanted] = process.argv.slice(2)
await using controller = new Controller({
  group,
  ...(process.env['INTERFACE'] === undefined ? {} : { interfaces: [process.env['INTERFACE']] }),
  onState: ({ name, state }) => console.log(`${name} ${state}`),
})
await controller.open()
console.log(`found ${(await controller.discover(wanted)).join(', ')}`)
await controller.run({ runId: `run_${Date.now()}`, until: () => sleep(systemClock, Number(seconds) * 1000) })
for (const name of controller.satellites) await controller.transition([name], 'land')
for (const name of controller.satellites) await controller.command(name, 'shutdown')
