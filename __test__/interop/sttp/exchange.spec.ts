import test from 'ava'
import { Publisher } from '../../../ts/sttp/publisher.js'
import { Subscriber } from '../../../ts/sttp/subscriber.js'
import { Synthetic, syntheticId } from '../../../ts/sttp/synthetic.js'
import { Peer } from './peer.js'

const BLOCKS = 5
/** The bytes of the n-th block, as `formula.py` has them. */
const blockBytes = (n: number) => Buffer.from(Array.from({ length: 1000 * n + 1 }, (_, j) => (31 * n + 7 * j) % 256))
const command = (number: number) => `command ${String(number).padStart(2, '0')}`
const numbers = Array.from({ length: 16 }, (_, number) => number)

for (const mode of ['tssc', 'compact'] as const) {
  test.serial(`sttpapi gets our buffer blocks, user responses and texts, and confirms blocks: ${mode}`, async (t) => {
    const publisher = new Publisher()
    publisher.defineMetadata(new Synthetic({ signals: 6 }).metadata())
    const commands: string[] = []
    // Its commands come behind its confirmation of the cache, without which it gets no blocks.
    const allCommands = new Promise<void>((resolve) => {
      publisher.userCommandReceived = (connection, number, payload) => {
        commands.push(Buffer.from(payload).toString())
        publisher.sendUserResponse(connection, number, Buffer.concat([Buffer.from('re:'), payload]))
        if (commands.length === numbers.length) resolve()
      }
    })
    const confirmed = new Set<number>()
    const allConfirmed = new Promise<void>((resolve) => {
      publisher.bufferBlockConfirmed = (_, sequence) => {
        confirmed.add(sequence)
        if (confirmed.size === BLOCKS) resolve()
      }
    })
    const [, port] = await publisher.start({ host: '127.0.0.1', port: 0 })
    const peer = new Peer('exchange_sub.py', '--port', String(port), '--mode', mode, '--blocks', String(BLOCKS))
    t.teardown(async () => {
      peer.kill()
      await publisher.close()
    })
    await Promise.race([allCommands, peer.ended])
    for (let n = 0; n < BLOCKS; n++) t.is(publisher.broadcastBufferBlock(syntheticId(n), blockBytes(n)), 1)
    await allConfirmed
    // It knows no confirmation of texts.
    t.is(await publisher.notify('maintenance at noon'), 0)
    t.is(await peer.ended, 0, peer.output)
    t.regex(peer.output, /blocks=5 responses=\[0, 1, .* 15\] texts=\['maintenance at noon'\] wrong=\[\]/)
    t.deepEqual(commands, numbers.map(command))
    t.is(publisher.ledger.totals.records, 0)
  })

  test.serial(`we get sttpapi's buffer blocks, and its answers to our commands: ${mode}`, async (t) => {
    const peer = new Peer('exchange_pub.py', '--blocks', String(BLOCKS))
    t.teardown(() => peer.kill())
    const port = await peer.listening()
    const subscriber = new Subscriber({ autoReconnect: false, statusMessage: false, errorMessage: false })
    const blocks: [string, number, Buffer][] = []
    const responses: [number, string, number][] = []
    subscriber.bufferBlockReceived = ({ signalId, sequence, bytes }) =>
      blocks.push([signalId, sequence, Buffer.from(bytes)])
    subscriber.userResponseReceived = (number, payload, code) =>
      responses.push([number, Buffer.from(payload).toString(), code])
    void subscriber.subscribe('FILTER ActiveMeasurements WHERE True', { encoding: mode })
    await subscriber.connect(`127.0.0.1:${port}`)
    for (const number of numbers) subscriber.sendUserCommand(number, Buffer.from(command(number)))
    t.is(await peer.ended, 0, peer.output)
    await subscriber.closed
    t.regex(peer.output, /confirmed=\[0, 1, 2, 3, 4\] commands=/)
    t.deepEqual(
      blocks,
      Array.from({ length: BLOCKS + 1 }, (_, n) => [syntheticId(n), n, blockBytes(n)]),
    )
    t.deepEqual(
      responses,
      numbers.map((number) => [number, `re:${command(number)}`, 0xd0 + number]),
    )
  })
}
