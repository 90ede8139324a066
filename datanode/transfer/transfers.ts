// Data transfers of a datanode: admits operations and runs them one at a time on each wire. A refused or failed operation is answered
// with REPLY error; the wire stays open if both sides still agree on the position in the stream.

import { fits } from '../../src/protocol/check.ts'
import { Channel } from '../../src/block/channel.ts'
import { FrameBuffer } from '../../src/block/frame.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import { blockName, type ClusterId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { unarmed, type Failpoints } from '../../src/ports/failpoints.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Wire } from '../../src/ports/net.ts'
import { transferRequest, type TransferRequest } from '../../src/protocol/transfer.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { SegmentServer } from '../ports.ts'
import { Receiving, type ReceiveTools } from './receive.ts'
import { serveRange } from './serve.ts'

interface TransfersOptions extends Omit<ReceiveTools, 'onBytes'> {
  readonly tokens: BlockTokens
  readonly cluster: () => ClusterId
  /** Throws if this node must not take new blocks now. */
  readonly mayWrite: () => void
  /** Throws if this process was paused since `ms` of the monotonic clock. */
  readonly steadySince: (ms: number) => void
  readonly clock: Clock
  readonly segments: SegmentServer | undefined
  readonly failpoints?: Failpoints | undefined
}

/** Longer than a client keeps an idle wire: a client must not reuse a wire that this node is just closing. */
const idleMs = 60_000

export class Transfers {
  readonly #options: TransfersOptions
  readonly #wires = new Set<Wire>()
  #active = 0
  #draining = false
  #idle: (() => void) | undefined
  /** Totals since the start. */
  bytesIn = 0
  bytesOut = 0
  writes = 0
  reads = 0
  failures = 0

  constructor(options: TransfersOptions) { this.#options = options }

  /** Number of operations in progress. */
  get active(): number { return this.#active }

  /** Owns the wire until it is closed. */
  async run(wire: Wire): Promise<void> {
    const channel = new Channel(wire)
    const gone = new AbortController()
    void wire.closed.then(() => gone.abort(new GristmillError('UNAVAILABLE', `the connection to ${wire.remote} is gone`)))
    this.#wires.add(wire)
    try {
      for (let first = true; !this.#draining; first = false) {
        // A client opens a wire only to send a request at once.
        wire.setProgressTimeout(first ? this.#options.progressMs : idleMs)
        const received = await channel.receive()
        if (!received) break
        wire.setProgressTimeout(this.#options.progressMs)
        if (received.kind !== 'request' || !fits(transferRequest, received.value))
          throw new GristmillError('EINVAL', 'expected a request on the wire, received something else')
        if (!await this.operation(received.value, channel, gone.signal)) break
      }
      await wire.end()
    } finally {
      this.#wires.delete(wire)
      wire.destroy()
    }
  }

  /** False: the wire must be closed. `gone`: aborts when it is closed by the peer. */
  async operation(request: TransferRequest, channel: Channel, gone?: AbortSignal): Promise<boolean> {
    this.#active++
    try {
      this.#admit(request)
      if (request.op === 'write') {
        this.writes++
        const startedMs = this.#options.clock.mono()
        const written = await new Receiving({ ...this.#options, onBytes: bytes => { this.bytesIn += bytes } }, request).run(channel, gone)
        await (this.#options.failpoints ?? unarmed).reach('block.ack.before')
        this.#options.steadySince(startedMs)
        await channel.reply({ op: 'written', ...written })
      } else if (request.op === 'read') {
        this.reads++
        await serveRange({ ...this.#options, onBytes: bytes => { this.bytesOut += bytes } }, request, channel)
      } else {
        await this.#options.segments!.serve(request, channel)
      }
      return true
    } catch (thrown) {
      this.failures++
      return await this.#refuse(request, channel, asError(thrown))
    } finally {
      this.#active--
      if (this.#active === 0) this.#idle?.()
    }
  }

  #admit(request: TransferRequest): void {
    const { cluster, tokens, mayWrite, segments } = this.#options
    if (this.#draining) throw new GristmillError('UNAVAILABLE', 'this datanode is stopping; use another one')
    if (this.#active > limits.transfersMax)
      throw new GristmillError(
        'OVERLOADED',
        `this datanode runs ${limits.transfersMax} transfers already; try again later, or use another datanode`,
      )
    if (request.cluster !== cluster())
      throw new GristmillError(
        'WRONG_CLUSTER',
        `this datanode belongs to cluster ${cluster()}, the request is for cluster ${request.cluster}`,
      )
    if (request.op === 'shuffle') {
      tokens.check(request.token, { mode: 'shuffle', job: request.job })
      if (!segments) throw new GristmillError('EINVAL', 'this datanode runs no tasks and has no map outputs')
      return
    }
    tokens.check(request.token, { mode: request.op, block: request.block })
    if (request.op === 'write') mayWrite()
  }

  async #refuse(request: TransferRequest, channel: Channel, error: GristmillError): Promise<boolean> {
    const { log, node } = this.#options
    const subject = request.op === 'shuffle' ? { job: request.job } : { block: blockName(request.block) }
    log[error.code === 'INTERNAL' ? 'error' : 'info']('a transfer failed', {
      error, op: request.op, ...subject, remote: channel.wire.remote,
    })
    try {
      await channel.reply({ op: 'error', error: { code: error.code, message: error.message.slice(0, 1000), node } })
      if (request.op !== 'write') return true
      // The sender is still sending. Closing now would discard the reply together with the unread data, so the rest is read and
      // dropped until the sender closes the wire or ends the block.
      const sink = new FrameBuffer()
      for (let left = request.bytesMax + limits.framePayloadBytesMax; left > 0; left -= sink.payloadBytes) {
        const received = await channel.receive(sink)
        if (!received) return false
        if (received.kind === 'end') return true
      }
      return false
    } catch {
      return false // the wire is closed: no reply can be sent
    }
  }

  /** Refuses new operations, waits at most `graceMs` for those in progress, then closes all wires. */
  async drain(graceMs: number, after: (ms: number, work: () => void) => () => void): Promise<void> {
    this.#draining = true
    if (this.#active > 0) {
      await new Promise<void>(resolve => {
        const cancel = after(graceMs, resolve)
        this.#idle = () => { cancel(); resolve() }
      })
    }
    for (const wire of this.#wires) wire.destroy(new GristmillError('UNAVAILABLE', 'this datanode is stopping'))
  }
}
