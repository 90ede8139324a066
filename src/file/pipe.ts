// Sending end of a write pipeline: used by a client towards the first datanode, and by each datanode towards the next. Unreachable members
// are skipped while it is opened. Once data flows, the loss of the next member loses all members behind it; the write goes on with those
// before it, and the namenode has the missing replicas copied later. The loss of the first member ends the pipe, and its owner decides: a
// client sends the block again through another pipeline (upload.ts), a datanode keeps its own replica (datanode/transfer/receive.ts).
// Invariant: exactly one of `finish` and `abort` ends it; after either the wire is kept or destroyed.

import { fits } from '../protocol/check.ts'
import type { FrameBuffer } from '../block/frame.ts'
import { abortError, throwIfAborted } from '../base/abort.ts'
import { asError, GristmillError, isErrorCode } from '../base/errors.ts'
import { blockName, type BlockId, type ClusterId, type NodeId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { NodePlace } from '../protocol/fields.ts'
import { transferReply, type TransferEnd, type TransferReply } from '../protocol/transfer.ts'
import type { HeldWire, Wires } from './wires.ts'

interface PipeTarget {
  readonly cluster: ClusterId
  readonly block: BlockId
  /** Maximum length of the block. */
  readonly bytesMax: number
  readonly token: string
  /** In pipeline order. */
  readonly members: readonly NodePlace[]
}

export interface Lost { readonly node: NodeId; readonly message: string }
export interface Written { readonly nodes: readonly NodeId[]; readonly failed: readonly Lost[] }

interface PipeOptions { readonly signal?: AbortSignal | undefined; readonly progressMs?: number | undefined }

/** Timeout of a member, longer with more members behind it: the member in front of the failed one must notice first. */
export const patience = (progressMs: number, membersBehind: number): number => progressMs * (1 + (membersBehind + 1) / 3)

export class Pipe {
  /** The member at the other end of this wire. */
  readonly first: NodePlace
  /** Members that were unreachable when the pipeline was opened. */
  readonly skipped: readonly Lost[]
  readonly #behind: readonly NodePlace[]
  readonly #wires: Wires
  readonly #held: HeldWire
  readonly #block: BlockId
  readonly #answer: Promise<TransferReply>
  #error: GristmillError | undefined
  #ended = false

  /** Connects to the first reachable member. Throws the last failure if there is none. */
  static async open(wires: Wires, target: PipeTarget, { signal, progressMs = limits.progressTimeoutMs }: PipeOptions = {}): Promise<Pipe> {
    const skipped: Lost[] = []
    let failure: unknown
    for (const [i, member] of target.members.entries()) {
      const behind = target.members.slice(i + 1)
      for (const fresh of [false, true]) {
        let held: HeldWire | undefined
        try {
          held = await wires.take(member.address, { signal, fresh, progressMs: patience(progressMs, behind.length) })
          // A peer that accepts no data blocks the request: an abort destroys the wire, which ends the wait.
          await endingOn(
            signal, held,
            held.channel.request({
              op: 'write', cluster: target.cluster, block: target.block, bytesMax: target.bytesMax, token: target.token, pipeline: behind,
            }),
          )
          return new Pipe(wires, held, { first: member, behind, skipped, block: target.block })
        } catch (error) {
          held?.channel.wire.destroy()
          throwIfAborted(signal)
          failure = error
          if (!held?.used) break
        }
      }
      skipped.push({ node: member.node, message: asError(failure).message.slice(0, 500) })
    }
    throw new GristmillError(
      'UNAVAILABLE',
      `none of the ${target.members.length} datanodes chosen for block ${blockName(target.block)} is reachable`,
      { cause: failure, details: { block: target.block, nodes: skipped.map(lost => lost.node) } },
    )
  }

  private constructor(
    wires: Wires, held: HeldWire,
    { first, behind, skipped, block }: { first: NodePlace; behind: readonly NodePlace[]; skipped: readonly Lost[]; block: BlockId },
  ) {
    this.#wires = wires
    this.#held = held
    this.#block = block
    this.first = first
    this.skipped = skipped
    this.#behind = behind
    // Received from the start: a failing member may report at any time, and further sending is then useless.
    this.#answer = this.#receive()
    this.#answer.catch(() => {})
  }

  /** True if the wire served earlier transfers: its loss says nothing about the member. */
  get used(): boolean { return this.#held.used }
  /** Error that ended the pipeline. */
  get error(): GristmillError | undefined { return this.#error }
  /** The member and all behind it, as lost. */
  get lost(): Lost[] {
    const message = (this.#error?.message ?? 'the pipeline was given up').slice(0, 500)
    return [this.first, ...this.#behind].map(({ node }) => ({ node, message }))
  }

  /** Sends a frame; its buffer may be reused once the promise settles. */
  async send(frame: FrameBuffer): Promise<void> {
    if (this.#error) throw this.#error
    try {
      await this.#held.channel.send(frame)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** Ends the data, and waits until every live member has it durably. */
  async finish(end: TransferEnd): Promise<Written> {
    if (this.#error) throw this.#error
    try {
      await this.#held.channel.end(end)
      const answer = await this.#answer
      if (answer.op !== 'written') throw new GristmillError('CORRUPT', `${this.first.address} answered a write with "${answer.op}"`)
      this.#ended = true
      this.#wires.give(this.#held)
      return { nodes: answer.nodes, failed: [...this.skipped, ...answer.failed] }
    } catch (error) {
      throw this.#failed(error)
    }
  }

  abort(reason?: Error): void {
    if (this.#ended) return
    this.#failed(reason ?? new GristmillError('ABORTED', `writing block ${blockName(this.#block)} was given up`))
  }

  async #receive(): Promise<TransferReply> {
    try {
      const received = await this.#held.channel.receive()
      if (!received) throw new GristmillError('UNAVAILABLE', `${this.first.address} closed the connection`)
      if (received.kind !== 'reply' || !fits(transferReply, received.value))
        throw new GristmillError('CORRUPT', `${this.first.address} answered a write with something else`)
      const answer = received.value
      if (answer.op !== 'error') return answer
      const { code, message, node } = answer.error
      throw new GristmillError(isErrorCode(code) ? code : 'INTERNAL', message, {
        details: { block: this.#block, node: node ?? this.first.node },
      })
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** Keeps the first failure, and destroys the wire, which ends everything that waits on it. */
  #failed(error: unknown): GristmillError {
    if (!this.#error) {
      const cause = asError(error)
      this.#error = cause.details.node === undefined
        ? new GristmillError(cause.code, cause.message, { cause, details: { ...cause.details, block: this.#block, node: this.first.node } })
        : cause
      this.#ended = true
      this.#held.channel.wire.destroy(this.#error)
    }
    return this.#error
  }
}

/** Waits for an operation on a wire; an abort destroys the wire, which ends the wait. */
async function endingOn<T>(signal: AbortSignal | undefined, { channel }: HeldWire, coming: Promise<T>): Promise<T> {
  const onAbort = (): void => channel.wire.destroy(abortError(signal!))
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await coming
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
