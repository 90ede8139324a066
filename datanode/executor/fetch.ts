// Shuffle fetch of a reduce task: gathers its partition of every map output of the stage before. Outputs of this node are read in place;
// every other node gets one request for all of its outputs. Outputs that cannot be fetched are reported by attempt, so that only those
// map tasks run again; outputs that are being recomputed already are not waited for.

import { fits } from '../../src/protocol/check.ts'
import { FrameBuffer } from '../../src/block/frame.ts'
import type { Channel } from '../../src/block/channel.ts'
import { asError, GristmillError, hasCode, isErrorCode } from '../../src/base/errors.ts'
import { exhausted, isExhaustion } from '../../src/base/exhaustion.ts'
import { attemptParts, type Address, type AttemptId, type JobId } from '../../src/base/ids.ts'
import { Semaphore } from '../../src/base/queue.ts'
import { retry } from '../../src/base/retry.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import { outputs } from '../../src/protocol/task.ts'
import { transferReply } from '../../src/protocol/transfer.ts'
import type { HeldWire } from '../../src/file/wires.ts'
import type { Inbox } from '../../src/shuffle/inbox.ts'
import { decodeIndex, type Segment } from '../../src/shuffle/segment.ts'
import { outputFiles } from '../shuffle/paths.ts'
import type { ExecutorSession } from './session.ts'
import { FetchWatch } from './fetchwatch.ts'

interface FetchRequest {
  readonly job: JobId
  readonly stage: number
  readonly partition: number
  /** Map outputs of these tasks alone, from a number up to another one; default: all. */
  readonly only?: { readonly from: number; readonly to: number } | undefined
}

interface Gathered {
  /** In the order of their map tasks. */
  readonly segments: readonly Segment[]
  readonly bytesLocal: number
  readonly bytesRemote: number
}

/** Some map outputs cannot be fetched. */
export class OutputsMissing extends GristmillError {
  readonly attempts: readonly AttemptId[]
  constructor(attempts: readonly AttemptId[], message: string, cause?: unknown) {
    super('BLOCK_MISSING', message, { cause })
    this.attempts = attempts
  }
}

/** Nodes fetched from concurrently; each has a few MiB in flight. */
const nodesAtOnce = 4
/** Tries per node before its outputs count as missing: a busy node answers within them. */
const tries = 3
const pauseMs = 300
const missingMax = 1000
/** Attempts in one request: a few hundred KiB of ids. Only jobs with more map tasks need a second request to a node. */
const attemptsMax = 10_000

interface Place { readonly index: number; readonly attempt: AttemptId }

/** Outputs of a stage where they are now. */
type ListedOutputs = ReplyOf<typeof outputs>['outputs']

/** `given`: the outputs, if they were listed for another partition; those that have been lost since are missing here. */
export async function gather(
  session: ExecutorSession, inbox: Inbox, wanted: FetchRequest, onFraction: (fraction: number) => void, given?: ListedOutputs,
): Promise<Gathered> {
  const listed = given ?? await listOutputs(session, wanted)
  const segments: Array<Segment | undefined> = Array.from({ length: listed.length })
  const total = Math.max(
    1, listed.reduce((sum, { bytes }) => sum + bytes, 0),
  )
  const own: Place[] = []
  const others = new Map<Address, Place[]>()
  listed.forEach(({ attempt, node, address }, index) => {
    const places = node === session.setup.node ? own : (others.get(address) ?? [])
    places.push({ index, attempt })
    if (node !== session.setup.node) others.set(address, places)
  })
  const missing: AttemptId[] = []
  let cause: unknown
  for (const { index, attempt } of own) {
    const segment = await localSegment(session, inbox, attempt, wanted.partition)
    if (segment) segments[index] = segment
    else missing.push(attempt)
  }
  const bytesLocal = segments.reduce((sum, segment) => sum + (segment?.bytes ?? 0), 0)
  let done = own.reduce((sum, { index }) => sum + listed[index]!.bytes, 0)
  onFraction(done / total)
  const gate = new Semaphore(nodesAtOnce)
  const requests = [...others].flatMap(([address, places]) =>
    Array.from({ length: Math.ceil(places.length / attemptsMax) }, (_, i) => ({
      address,
      places: places.slice(i * attemptsMax, (i + 1) * attemptsMax),
    })),
  )
  const fetchWatch = new FetchWatch({
    clock: session.clock, listed: listed.map(({ attempt }) => attempt), list: () => attemptsNow(session, wanted),
  })
  const fetching = Promise.allSettled(
    requests.map(({ address, places }) =>
      gate.run(async () => {
        const failure = await fetchFrom(session, inbox, address, wanted, places, fetchWatch, (place, segment) => {
          segments[place.index] = segment
          done += listed[place.index]!.bytes
          onFraction(done / total)
        })
        cause ??= failure
        for (const { index, attempt } of places) if (!segments[index]) missing.push(attempt)
      }),
    ),
  )
  const fetched = await fetchWatch.over(fetching, () => new OutputsMissing([], 'some map outputs were made again while they were fetched'))
  for (const result of fetched) if (result.status === 'rejected') throw result.reason
  if (missing.length > 0) {
    throw new OutputsMissing(
      missing.slice(0, missingMax),
      `${missing.length} of ${listed.length} map outputs cannot be fetched ` +
      `(${missing.slice(0, 3).join(', ')}${missing.length > 3 ? '…' : ''})${cause === undefined ? '' : `: ${asError(cause).message}`}`,
      cause,
    )
  }
  return {
    segments: segments as Segment[], bytesLocal,
    bytesRemote: segments.reduce((sum, segment) => sum + segment!.bytes, 0) - bytesLocal,
  }
}

/** In the order of their tasks. */
export async function listOutputs(
  { caller, setup }: ExecutorSession, { job, stage, only }: Omit<FetchRequest, 'partition'>,
): Promise<ListedOutputs> {
  try {
    const all = (await caller.call(setup.namenode, outputs, { job, stage }, { peer: 'namenode', timeoutMs: 60_000, tryMs: 10_000 })).outputs
    return only ? all.filter(({ attempt }) => isWithinTasks(attempt, only)) : all
  } catch (error) {
    // A map output was lost after this task was started.
    if (hasCode(error, 'BLOCK_MISSING')) throw new OutputsMissing([], error.message, error)
    throw error
  }
}

/** By the number of the task, which is the same when it runs again. */
function isWithinTasks(attempt: AttemptId, { from, to }: { readonly from: number; readonly to: number }): boolean {
  const { task } = attemptParts(attempt)
  return task >= from && task < to
}

/** undefined: the namenode cannot be asked now. Throws OutputsMissing if some outputs are being recomputed. */
async function attemptsNow(session: ExecutorSession, wanted: FetchRequest): Promise<AttemptId[] | undefined> {
  try {
    return (await listOutputs(session, wanted)).map(({ attempt }) => attempt)
  } catch (error) {
    if (error instanceof OutputsMissing) throw error
    return undefined
  }
}

/** undefined: the output is missing or corrupt. */
async function localSegment(
  { disk, setup }: ExecutorSession, inbox: Inbox, attempt: AttemptId, partition: number,
): Promise<Segment | undefined> {
  const { data, index } = outputFiles(setup.dir, attempt)
  try {
    const extent = decodeIndex(await disk.readFile(index), attempt)[partition]
    if (!extent || !(await disk.stat(data))) return undefined
    return inbox.local(attempt, data, extent)
  } catch (error) {
    // Running the map again would not help: its output could not be opened either.
    if (isExhaustion(error)) throw exhausted(`the map output ${attempt} cannot be opened`, error)
    return undefined
  }
}

/**
 * Fetches outputs of one node. Returns the error after which it gave up, or undefined; segments received before are passed to
 * `onSegment`. Throws errors that a retry cannot help.
 */
async function fetchFrom(
  session: ExecutorSession, inbox: Inbox, address: Address, wanted: FetchRequest, places: readonly Place[], fetchWatch: FetchWatch,
  onSegment: (place: Place, segment: Segment) => void,
): Promise<unknown> {
  const { signal } = fetchWatch
  let held: HeldWire | undefined
  const end = (): void => held?.channel.wire.destroy()
  signal.addEventListener('abort', end, { once: true })
  let left = places
  let fresh = false
  try {
    return await retry(async () => {
      held = undefined
      fetchWatch.received(places)
      try {
        held = await session.wires.take(address, { fresh, signal })
        left = await fetchOnce(session, inbox, held.channel, wanted, left, () => fetchWatch.received(places), onSegment)
        session.wires.give(held)
        return left.length > 0
          ? new GristmillError('BLOCK_MISSING', `the datanode at ${address} does not have ${left.length} of the map outputs`)
          : undefined
      } catch (thrown) {
        end()
        if (!(thrown instanceof Unfinished)) throw thrown
        left = thrown.left
        throw thrown.cause
      }
    }, {
      clock: session.clock, signal, pauseMs: attempt => pauseMs * attempt,
      again(error, attempt) {
        // A reused wire may have been closed by the node meanwhile: its failure does not count as a try.
        if (isRefusal(error) || (!held?.used && attempt >= tries)) return false
        session.log.warn('map outputs could not be fetched; trying again', { error, address, attempt })
        fresh = true
        return true
      },
    })
  } catch (error) {
    signal.throwIfAborted()
    if (isRefusal(error)) throw error
    return error
  } finally {
    signal.removeEventListener('abort', end)
    fetchWatch.done(places)
  }
}

/** The node refuses this executor: no other try and no other node would help. */
const isRefusal = (error: unknown): boolean => hasCode(error, 'UNAUTHENTICATED', 'WRONG_CLUSTER')

class Unfinished extends Error {
  override name = 'Unfinished'
  readonly left: readonly Place[]
  constructor(left: readonly Place[], cause: unknown) {
    super('the transfer of map outputs was interrupted', { cause })
    this.left = left
  }
}

/** Sends one request. Returns the places that the node does not have. */
async function fetchOnce(
  session: ExecutorSession, inbox: Inbox, channel: Channel, { job, partition }: FetchRequest, places: readonly Place[], onHeard: () => void,
  onSegment: (place: Place, segment: Segment) => void,
): Promise<Place[]> {
  const missing: Place[] = []
  let next = 0
  try {
    await channel.request({
      op: 'shuffle', cluster: session.setup.cluster, job, partition, attempts: places.map(place => place.attempt),
      token: session.tokens.issue({ mode: 'shuffle', job }),
    })
    for (;;) {
      const received = await channel.receive()
      if (!received) throw new GristmillError('UNAVAILABLE', `${channel.wire.remote} closed the connection`)
      onHeard()
      if (received.kind === 'end' && next === places.length) return missing
      if (received.kind !== 'reply' || !fits(transferReply, received.value) || received.value.op === 'written')
        throw new GristmillError('CORRUPT', `${channel.wire.remote} sent a reply that is not a map output`)
      if (received.value.op === 'error') {
        const { code, message } = received.value.error
        throw new GristmillError(isErrorCode(code) ? code : 'INTERNAL', message)
      }
      const place = places[next]
      const { attempt, bytes, records, crc, missing: isMissing } = received.value
      if (place?.attempt !== attempt)
        throw new GristmillError('CORRUPT', `${channel.wire.remote} sent the map output ${attempt}, ${place?.attempt ?? 'none'} was due`)
      if (isMissing) missing.push(place)
      else onSegment(place, await inbox.receive(attempt, { offset: 0, bytes, records, crc }, pieces(channel, bytes, onHeard)))
      next++
    }
  } catch (error) {
    throw new Unfinished([...missing, ...places.slice(next)], error)
  }
}

async function* pieces(channel: Channel, bytes: number, onHeard: () => void): AsyncGenerator<Buffer> {
  if (bytes === 0) return
  const frame = new FrameBuffer()
  for (let position = 0; position < bytes; position += frame.payloadBytes) {
    const received = await channel.receive(frame)
    if (received?.kind !== 'data')
      throw new GristmillError('UNAVAILABLE', `${channel.wire.remote} ended the transfer in the middle of a map output`)
    if (frame.offset !== position || frame.damagedChunk() >= 0)
      throw new GristmillError('CORRUPT', `a map output was damaged on the way from ${channel.wire.remote}`)
    onHeard()
    yield frame.payload
  }
}
