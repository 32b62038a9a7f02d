import type { ExecutionContext } from 'ava'
import { Publisher } from '../../ts/sttp/publisher.js'
import { Synthetic } from '../../ts/sttp/synthetic.js'

/** The port of a publisher that gives its frames once, to whoever subscribes first. */
export async function publishing(
  t: ExecutionContext,
  { signals, frames }: { signals: number; frames: number },
): Promise<number> {
  const synthetic = new Synthetic({ signals })
  const publisher = new Publisher()
  publisher.defineMetadata(synthetic.metadata())
  t.teardown(() => publisher.close())
  const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
  void (async () => {
    for await (const { state } of publisher.status) if (state === 'peer-subscribed') break
    publisher.publish(synthetic.batch(0, frames, publisher.signals))
  })()
  return port
}
