// Aborted writers: at any step, also while the namenode's reply is on its way, no lease, wire or temporary file is left, and the same path
// can be written again at once.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { expect, test } from 'vitest'
import { Files } from '../../../../client/files/files.ts'
import { clusterOf } from '../../../../client/call/cluster.ts'
import { Background } from '../../../../src/base/background.ts'
import type { FileClient } from '../../../../src/file/client.ts'
import type { Net, Wire } from '../../../../src/ports/net.ts'
import { Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { noise } from '../block/kit.ts'
import { collect, Mill, testWorld, until } from '../../datanode/kit.ts'
import { create } from '../../../../src/protocol/writing.ts'
import { cluster, secret } from '../../datanode/namenode.ts'

/** Calls reach the server at once; the test delays or loses the replies to one message. */
class Answers {
  readonly path: string
  readonly #held: Array<() => void> = []
  holding = true
  /** Number of replies to lose first. */
  lose = 0

  constructor(path: string) { this.path = path }

  get waiting(): number { return this.#held.length }

  over(dispatcher: Dispatcher): Dispatcher {
    return {
      dispatch: (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) =>
        dispatcher.dispatch(options, options.path === this.path ? this.#hold(handler) : handler),
    } as unknown as Dispatcher
  }

  release(): void {
    this.holding = false
    for (const answer of this.#held.splice(0)) answer()
  }

  #hold(handler: Dispatcher.DispatchHandler): Dispatcher.DispatchHandler {
    const late = (answer: () => void): void => { if (this.holding) this.#held.push(answer); else answer() }
    return {
      onRequestStart: (...args) => handler.onRequestStart?.(...args),
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData: (...args) => handler.onResponseData?.(...args),
      onResponseEnd: controller => {
        if (this.lose-- > 0) handler.onResponseError?.(controller, Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
        else late(() => handler.onResponseEnd?.(controller, {}))
      },
      onResponseError: (...args) => handler.onResponseError?.(...args),
    }
  }
}

function clientOf(mill: Mill, answers: Answers): { client: FileClient; files: Files } {
  const { clock, random, net, disk } = testWorld()
  const background = new Background()
  const caller = new Caller({
    dispatcher: answers.over(net.dispatcher), clock, random,
    credentials: new Credentials({ secret, user: 'tester', cluster, clock, random }),
  })
  const client = mill.newClient({ caller, background })
  const { ask } = clusterOf({ caller, namenode: () => mill.namenode.address, clock, random, background })
  return { client, files: new Files({ ask, files: client, host: 'client', clock, disk, random }) }
}


test.each(['abort', 'destroy', 'writeFile', 'lost answer'] as const)(
  'a create whose writer gives up before the answer comes gives its lease back: %s',
  async how => {
    await using mill = await Mill.start({ datanodes: 1 })
    const answers = new Answers(create.path)
    const { client, files } = clientOf(mill, answers)
    if (how === 'lost answer') answers.lose = 1
    const aborting = new AbortController()
    const stream = how === 'destroy' ? files.createWriteStream('/f') : undefined
    const result =
      how === 'writeFile'
        ? files.writeFile('/f', 'x', { signal: aborting.signal })
        : stream
          ? new Promise((_, reject) => {
              stream.once('close', () => reject(new Error('closed')))
            })
          : client.create('/f', { signal: aborting.signal })
    result.catch(() => {})
    await until('the namenode has answered', () => answers.waiting === 1)
    expect(mill.namenode.leases.size).toBe(1)
    if (stream) stream.destroy()
    else aborting.abort(new Error('enough'))
    // At once: the reply is still held.
    await expect(result).rejects.toThrow(how === 'destroy' ? 'closed' : 'enough')
    // The next writer of this process waits for the return of the lease, and does not get EBUSY.
    const again = client.create('/f')
    answers.release()
    await (await again).close()
    expect(mill.namenode.leases.size).toBe(0)
    await client.close()
  },
)

test('closing a client waits until the leases of those who gave up are given back', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const answers = new Answers(create.path)
  const { client } = clientOf(mill, answers)
  const aborting = new AbortController()
  const result = client.create('/f', { signal: aborting.signal })
  await until('the namenode has answered', () => answers.waiting === 1)
  aborting.abort()
  await expect(result).rejects.toMatchObject({ code: 'ABORTED' })
  let closed = false
  const closing = client.close().then(() => { closed = true })
  await new Promise(setImmediate)
  expect(closed).toBe(false)
  answers.release()
  await closing
  expect(mill.namenode.leases.size).toBe(0)
})

/** Opens real wires regardless of the signal, and hands each out when the test allows; reads and writes on it then never complete. */
class SlowWires {
  readonly wires: Wire[] = []
  readonly #handedOut = Promise.withResolvers<void>()
  readonly #stuck: 'write' | 'read'
  stuck = 0

  constructor(stuck: 'write' | 'read') { this.#stuck = stuck }

  handOut(): void { this.#handedOut.resolve() }

  over(net: Net): Net {
    const connect: Net['connect'] = async (to, request, { timeoutMs } = {}) => {
      const wire = await net.connect(to, request, timeoutMs === undefined ? {} : { timeoutMs })
      this.wires.push(wire)
      await this.#handedOut.promise
      return this.#slow(wire)
    }
    return { dispatcher: net.dispatcher, connect, listen: (service, at) => net.listen(service, at), close: () => net.close() }
  }

  #slow(wire: Wire): Wire {
    const never = async (): Promise<never> => {
      this.stuck++
      await wire.closed
      throw new Error('the wire is gone')
    }
    return {
      remote: wire.remote, closed: wire.closed, end: () => wire.end(), destroy: error => wire.destroy(error),
      setProgressTimeout: ms => wire.setProgressTimeout(ms),
      read: this.#stuck === 'read' ? never : target => wire.read(target),
      write: this.#stuck === 'write' ? never : (...parts) => wire.write(...parts),
    }
  }
}

test.each([
  ['a writer whose wire is being opened', 'write', 'early'],
  ['a writer whose datanode takes no request', 'write', 'late'],
  ['a reader whose wire is being opened', 'read', 'early'],
  ['a reader whose datanode does not answer', 'read', 'late'],
] as const)('%s leaves no wire when it is given up', async (_, stuck, when) => {
  await using mill = await Mill.start({ datanodes: 1 })
  const kept = await mill.client.create('/kept')
  await kept.write(noise(100_000))
  await kept.close()
  const slow = new SlowWires(stuck)
  // Its clock does not move, so that only the abort can end the call.
  const client = mill.newClient({ net: slow.over(testWorld().net), clock: new ManualClock() })
  const aborting = new AbortController()
  const { signal } = aborting
  const work = stuck === 'read' ? collect(client.read('/kept', { signal })) : (async () => {
    const writer = await client.create('/f', { signal })
    await writer.write(noise(100_000))
    await writer.close()
  })()
  work.catch(() => {})
  await until('a wire is there', () => slow.wires.length > 0)
  if (when === 'early') {
    aborting.abort(new Error('enough'))
    slow.handOut()
  } else {
    slow.handOut()
    await until('the wire is in use', () => slow.stuck > 0)
    aborting.abort(new Error('enough'))
  }
  await expect(work).rejects.toMatchObject({ code: 'ABORTED', message: expect.stringContaining('enough') })
  await Promise.all(slow.wires.map(wire => wire.closed))
  await until('the lease is given back', () => mill.namenode.leases.size === 0)
  await client.close()
})

test('a source that never yields does not hold an abort up, and is closed', async () => {
  await using mill = await Mill.start({ datanodes: 1, blockBytes: 4 << 20 })
  const { files, client } = clientOf(mill, new Answers('none'))
  const stalled = new Readable({ read() {} })
  stalled.push(noise(3_000_000))
  stalled.on('error', () => {})
  let returned = 0
  let begun = 0
  const never: AsyncIterable<Buffer> = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        begun++
        return new Promise(() => {})
      },
      return: async () => {
        returned++
        return { done: true as const, value: undefined }
      },
    }),
  }
  const generated = (async function* () {
    yield noise(3_000_000)
    begun++
    await new Promise(() => {})
  })()
  // A source that is not read from yet is not this writer's to close: each abort comes after the first read.
  const sources: ReadonlyArray<readonly [AsyncIterable<Buffer> | Readable, () => boolean]> = [
    [never, () => begun === 1], [stalled, () => stalled.readableLength === 0], [generated, () => begun === 2],
  ]
  for (const [source, isRead] of sources) {
    const aborting = new AbortController()
    const result = files.writeFile('/f', source, { signal: aborting.signal })
    result.catch(() => {})
    await until('the file is being written', () => mill.namenode.leases.size === 1 && isRead())
    aborting.abort(new Error('enough'))
    await expect(result).rejects.toMatchObject({ code: 'ABORTED', message: expect.stringContaining('enough') })
    await until('the lease is given back', () => mill.namenode.leases.size === 0)
  }
  await until('the sources are closed', () => returned === 1 && stalled.destroyed)
  await client.close()
  expect(mill.namenode.files.has('/f')).toBe(false)
  if (existsSync(join(mill.dir, 'spool'))) expect(readdirSync(join(mill.dir, 'spool'))).toEqual([])
})

test('a source whose file fails is closed, and the failure is reported', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const { files, client } = clientOf(mill, new Answers('none'))
  let closed = 0
  const source = async function* (): AsyncGenerator<unknown> {
    try {
      yield 'good'
      yield 5
    } finally {
      closed++
    }
  }
  await expect(files.writeFile('/f', source() as never)).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('number 5'),
  })
  await expect(
    files.writeFile(
      '/f',
      (async function* () {
        yield 'a'
        throw new Error('the source broke')
      })(),
    ),
  ).rejects.toThrow('the source broke')
  expect([closed, mill.namenode.leases.size]).toEqual([1, 0])
  await client.close()
})
