// The embedded router, as it is published (dist), in a process of its own; prints its port.
import { WampRouter } from '../../dist/sisock/index.js'

const router = new WampRouter({
  users: {
    server: { secret: 'loopback-test-secret', role: 'server' },
    simonsobs: { secret: 'loopback-consumer-secret', role: 'consumer' },
  },
})
console.log(`port ${await router.listen(0)}`)
