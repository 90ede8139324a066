// Simulated network: listeners, cuts, and the fate of each transmission. HTTP requests are injected into the target's fastify; wires are
// pairs of queues. Each direction between two parties has its own random stream, so that leaving out one fault does not change events
// elsewhere.

import { crc32c } from '@node-rs/crc32'
import { Dispatcher } from 'undici'
import { GristmillError, isErrorCode } from '../../../src/base/errors.ts'
import { address, type Address } from '../../../src/base/ids.ts'
import type { Listening, Net, Service, Wire } from '../../../src/ports/net.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { Spoil } from '../contract.ts'
import { inject } from './inject.ts'
import { Dead, type Kernel } from './kernel.ts'
import type { Process } from './process.ts'
import { SimWire, type Passage, type Way } from './wire.ts'

interface Listener { readonly process: Process; readonly service: Service; readonly wires: Set<SimWire> }

/** Direction from one party to another, by the names of their nodes. */
const wayOf = (from: string, to: string): string => `${from}>${to}`

const connectMs = 5_000

/**
 * `asked`: the request has arrived and was not handled. `done`: it was handled, and no reply has left. `answered`: the caller has the
 * reply.
 */
export const moments = ['asked', 'done', 'answered'] as const
export type Moment = (typeof moments)[number]

/** Trigger at one moment of a call between two processes. */
export interface NetworkTrigger {
  /** Name of the calling process. */
  readonly from: string
  /** Path of the message. */
  readonly path: string
  readonly moment: Moment
  /** Number of the call at which it fires. */
  readonly nth: number
  readonly spring: () => void
}

/** The call with which a process ends: `end` is called when it is sent, and the request is on its way for `ms`. */
export interface LastCall {
  /** Name of the calling process. */
  readonly from: string
  /** Path of the message. */
  readonly path: string
  readonly ms: number
  readonly end: () => void
}

export class Network implements Way {
  readonly kernel: Kernel
  readonly #randoms = new Map<string, Random>()
  readonly #listeners = new Map<string, Listener>()
  readonly #cuts = new Set<string>()
  readonly #spoils = new Map<string, Spoil>()
  readonly #waiting = new Map<string, Array<() => void>>()
  /** Set triggers, and the number of calls that each still lets pass. */
  readonly #triggers = new Map<NetworkTrigger, number>()
  readonly #lastCalls = new Set<LastCall>()
  /** Pairs that have communicated: they already have a connection pool. */
  readonly #known = new Set<string>()
  /** Calls without a reply so far. */
  readonly calls = new Set<(error: Error) => void>()
  #nextPort = 20_000

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }

  /** Parties: a node's name, or `client` for all others. */
  cut(from: string, to: string, oneWay: boolean): void {
    this.#cuts.add(wayOf(from, to))
    if (!oneWay) this.#cuts.add(wayOf(to, from))
  }

  spoil(from: string, to: string, how: Spoil): void {
    for (const way of [wayOf(from, to), wayOf(to, from)]) this.#spoils.set(way, how)
  }

  heal(from?: string, to?: string): void {
    const all = from === undefined || to === undefined
    const ways = all ? [...this.#cuts] : [wayOf(from, to), wayOf(to, from)]
    for (const way of ways) this.#cuts.delete(way)
    if (all) this.#triggers.clear()
    if (all) this.#lastCalls.clear()
    if (all) this.#spoils.clear()
    else for (const way of ways) this.#spoils.delete(way)
    for (const [way, works] of [...this.#waiting]) {
      if (this.#cuts.has(way)) continue
      this.#waiting.delete(way)
      for (const work of works) work()
    }
  }

  /** Sets a trigger, which fires once; returns the function that removes it. Also undone by `heal` of everything. */
  onMoment(trigger: NetworkTrigger): () => void {
    this.#triggers.set(trigger, trigger.nth)
    return () => { this.#triggers.delete(trigger) }
  }

  /** The next such call is the last one of its process, which was told so once. Undone by `heal` of everything. */
  endWith(call: LastCall): void { this.#lastCalls.add(call) }

  /** The call that `from` sends now, if its process ends with it. */
  lastCall(from: Process, path: string): LastCall | undefined {
    const last = [...this.#lastCalls].find(call => call.from === from.name && call.path === path)
    if (last) this.#lastCalls.delete(last)
    return last
  }

  /** A call of `from` has reached this moment: fires its triggers. */
  pass(from: Process, path: string, moment: Moment): void {
    for (const [trigger, left] of this.#triggers) {
      if (trigger.from !== from.name || trigger.path !== path || trigger.moment !== moment) continue
      this.#triggers.set(trigger, left - 1)
      if (left > 1) continue
      this.#triggers.delete(trigger)
      this.kernel.note(`${from.name} ${path} ${moment}: a snare springs`)
      trigger.spring()
    }
  }

  passage(from: Process, to: Process, bytes = 0): Passage {
    const way = wayOf(partyOf(from), partyOf(to))
    const spoil = this.#spoils.get(way)
    const random = this.#randomOf(way)
    const chance = (p: number | undefined): boolean => p !== undefined && p > 0 && random.float() < p
    const ms = 0.1 + random.float() * 0.9 + (spoil?.delayMs ? (0.5 + random.float()) * spoil.delayMs : 0)
    const sendMs = spoil?.bytesPerSecond ? (bytes / spoil.bytesPerSecond) * 1000 : 0
    const fate = this.#cuts.has(way) ? 'hold' : chance(spoil?.reset) ? 'reset' : 'pass'
    return { ms, sendMs, fate, flip: chance(spoil?.corrupt), at: spoil?.corrupt ? random.float() : 0 }
  }

  clear(from: Process, to: Process, work: () => void): void {
    const way = wayOf(partyOf(from), partyOf(to))
    if (!this.#cuts.has(way)) return work()
    this.#waiting.set(way, [...this.#waiting.get(way) ?? [], work])
  }

  /** Delay in milliseconds after which a request is delivered again, mostly short, sometimes up to a minute; undefined: it is not. */
  duplicate(from: Process, to: Process): number | undefined {
    const way = wayOf(partyOf(from), partyOf(to))
    const { duplicate = 0 } = this.#spoils.get(way) ?? {}
    const random = this.#randomOf(way)
    if (duplicate === 0 || random.float() >= duplicate) return undefined
    return random.float() * (random.below(8) === 0 ? 60_000 : 3_000)
  }

  isCut(from: Process, to: Process): boolean { return this.#cuts.has(wayOf(partyOf(from), partyOf(to))) }

  /** Half of the data sent into a cut is lost; the other half arrives when it is healed. */
  isLost(from: Process, to: Process): boolean { return this.#randomOf(wayOf(partyOf(from), partyOf(to))).below(2) === 0 }

  #randomOf(way: string): Random {
    let random = this.#randoms.get(way)
    if (!random) this.#randoms.set(way, random = this.kernel.random(`network ${way}`))
    return random
  }

  find(to: string): Listener | undefined {
    const listener = this.#listeners.get(to)
    return listener?.process.alive ? listener : undefined
  }

  knows(from: Process, to: Process): boolean { return this.#known.has(`${from.name} ${to.name}`) }
  meet(from: Process, to: Process): void { this.#known.add(`${from.name} ${to.name}`) }

  /** Fails calls that will never be answered, so that their callers do not keep an ended simulation in memory. */
  end(): void { for (const call of [...this.calls]) call(new Dead('the simulation is over')) }

  /** Net port of one process. */
  netOf(process: Process): Net {
    return {
      dispatcher: new SimDispatcher(this, process),
      connect: (to, request, options) => this.#connect(process, to, request, options),
      listen: (service, at) => this.#listen(process, service, at),
      close: async () => {},
    }
  }

  async #listen(process: Process, service: Service, { host, port }: { host: string; port: number }): Promise<Listening> {
    process.must()
    await this.kernel.outside(async () => { await service.http.ready() })
    const at = `${host}:${port === 0 ? this.#nextPort++ : port}`
    if (this.find(at)) throw new GristmillError('EADDRINUSE', `cannot listen on ${at}: another process does`)
    const listener: Listener = { process, service, wires: new Set() }
    this.#listeners.set(at, listener)
    process.onEnd(() => this.#forget(at, listener))
    return {
      address: address(at),
      close: async () => {
        this.#forget(at, listener)
        for (const wire of listener.wires) wire.destroy(new GristmillError('UNAVAILABLE', 'the server is going away'))
        await this.kernel.outside(async () => { await service.http.close() })
      },
    }
  }

  #forget(at: string, listener: Listener): void {
    if (this.#listeners.get(at) === listener) this.#listeners.delete(at)
    for (const pair of this.#known)
      if (pair.endsWith(` ${listener.process.name}`) || pair.startsWith(`${listener.process.name} `)) this.#known.delete(pair)
  }

  #connect(
    process: Process, to: Address,
    { path, headers }: { path: string; headers: Readonly<Record<string, string>> },
    { signal, timeoutMs = 10_000 }: { signal?: AbortSignal; timeoutMs?: number } = {},
  ): Promise<Wire> {
    process.must()
    signal?.throwIfAborted()
    return new Promise((resolve, reject) => {
      let over = false
      const finish = (work: () => void): void => {
        if (over) return
        over = true
        cancel()
        signal?.removeEventListener('abort', onAbort)
        work()
      }
      const fail = (error: Error): void => finish(() => reject(error))
      const onAbort = (): void => fail(signal!.reason as Error)
      const cancel = process.clock.after(timeoutMs, () =>
        fail(
          new GristmillError('UNAVAILABLE', `cannot reach ${to}: it did not answer within ${timeoutMs} ms`, { details: { address: to } }),
        ),
      )
      if (signal?.aborted) return onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      const target = this.find(to)
      const { ms, fate } = target ? this.passage(process, target.process) : { ms: 0.5, fate: 'pass' as const }
      if (fate === 'hold') return // no reply before the timeout
      this.kernel.schedule(ms, process, `connect ${to}`, () => {
        const listener = this.find(to)
        if (!listener || fate === 'reset')
          return fail(
            new GristmillError('UNAVAILABLE', `the connection to ${to} was lost (${fate === 'reset' ? 'ECONNRESET' : 'ECONNREFUSED'})`, {
              details: { address: to },
            }),
          )
        this.kernel.schedule(0, listener.process, `upgrade ${path}`, () => {
          const decision = listener.service.upgrade?.({ path, headers: lower(headers), remote: process.name }) ?? {
            refuse: { status: 400, code: 'EINVAL', message: 'no wires here' },
          }
          if ('refuse' in decision) {
            const { code, message } = decision.refuse
            this.kernel.schedule(ms, process, 'refused', () => fail(new GristmillError(isErrorCode(code) ? code : 'UNAVAILABLE', message)))
            return
          }
          const [mine, theirs] = SimWire.pair(this, { process, address: process.name }, { process: listener.process, address: to })
          listener.wires.add(theirs)
          void theirs.closed.then(() => listener.wires.delete(theirs))
          decision.run(theirs).catch((error: unknown) => theirs.destroy(error instanceof Error ? error : undefined))
          this.kernel.schedule(ms, process, 'upgraded', () => {
            if (over) mine.destroy()
            finish(() => resolve(mine))
          })
        })
      })
    })
  }
}

const partyOf = ({ name }: Process): string => (name.startsWith('client') ? 'client' : name.split('/')[0]!)

const lower = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

const broken = (code: string): Error => Object.assign(new Error(code), { code })

/** undici's side of a call, over the simulated network. */
class SimDispatcher extends Dispatcher {
  readonly #network: Network
  readonly #process: Process

  constructor(network: Network, process: Process) {
    super()
    this.#network = network
    this.#process = process
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const process = this.#process
    const network = this.#network
    process.must()
    const { kernel } = network
    const to = new URL(String(options.origin)).host
    let over = false
    const end = (error: Error): void => {
      if (over) return
      over = true
      forget()
      handler.onResponseError?.(controller as never, error)
    }
    network.calls.add(end)
    let forget = (): void => { network.calls.delete(end) }
    /** The connection breaks on the caller's side: the server notices, unless the way to it is cut. */
    let hangUp = (): void => {}
    const controller = {
      aborted: false, paused: false, reason: null as Error | null, rawHeaders: [], rawTrailers: [],
      abort: (reason: Error) => {
        over = true
        forget()
        hangUp()
        controller.aborted = true
        handler.onResponseError?.(controller as never, reason)
      },
      pause() {}, resume() {},
    }
    const fail = (ms: number, error: Error): void => {
      kernel.schedule(ms, process, `${to} ${options.path} failed`, () => end(error))
    }
    const target = network.find(to)
    if (!target) {
      fail(0.3, broken('ECONNREFUSED'))
      return true
    }
    const cut = network.isCut(process, target.process) || network.isCut(target.process, process)
    if (!network.knows(process, target.process) && cut) {
      fail(connectMs, broken('UND_ERR_CONNECT_TIMEOUT'))
      return true
    }
    network.meet(process, target.process)
    // Not within this call: undici starts a request only once it has a connection.
    kernel.schedule(0, process, `start ${options.path}`, () => {
      if (over) return
      handler.onRequestStart?.(controller as never, undefined)
      if (over) return
      const body = String(options.body ?? '')
      const { ms, sendMs, fate } = network.passage(process, target.process, body.length)
      const digest = crc32c(body).toString(16)
      const deliver = (label: string, wanted: boolean, lateMs = 0): void => {
        kernel.schedule(ms + sendMs + lateMs, target.process, `${process.name} ${label} ${options.path} ${digest}`, () => {
          if (wanted) network.pass(process, options.path, 'asked')
          if (!target.process.alive) return
          const hangUp = this.#serve(
            target, options, wanted && gone,
            (status, body) => {
              if (wanted) reply(status, body)
            },
            () => {
              if (wanted && !over) fail(0.1, broken('ECONNRESET'))
            },
          )
          if (wanted) leave = hangUp
        })
      }
      const reply = (status: number, body: Buffer): void => {
        network.pass(process, options.path, 'done')
        if (!target.process.alive) return // its end has already broken the connection
        const back = network.passage(target.process, process, body.length)
        const arrive = (): void => {
          kernel.schedule(back.ms + back.sendMs, process, `reply ${status} ${options.path} ${crc32c(body).toString(16)}`, () => {
            if (over) return
            over = true
            forget()
            network.pass(process, options.path, 'answered')
            if (!process.alive) return
            handler.onResponseStart?.(controller as never, status, {}, '')
            handler.onResponseData?.(controller as never, body)
            handler.onResponseEnd?.(controller as never, {})
          })
        }
        if (back.fate === 'reset') fail(back.ms, broken('ECONNRESET'))
        else if (back.fate === 'pass') arrive()
        else if (!network.isLost(target.process, process)) network.clear(target.process, process, arrive)
      }
      let gone = false
      let leave = (): void => {}
      hangUp = () => {
        if (network.isCut(process, target.process)) return
        kernel.schedule(network.passage(process, target.process).ms, target.process, `${process.name} hangs up ${options.path}`, () => {
          gone = true
          leave()
        })
      }
      const forgets = [
        target.process.onEnd(() => {
          if (!over) fail(0.2, broken('ECONNRESET'))
        }),
        process.onEnd(() => {
          if (!over) hangUp()
        }),
      ]
      forget = () => {
        network.calls.delete(end)
        for (const each of forgets) each()
      }
      const last = network.lastCall(process, options.path)
      if (last) {
        deliver('last', false, last.ms)
        last.end()
      } else if (fate === 'reset') {
        // The caller cannot know whether the request had arrived.
        if (network.isLost(process, target.process)) deliver('lost', false)
        fail(ms, broken('ECONNRESET'))
      } else if (fate === 'hold') {
        if (!network.isLost(process, target.process)) network.clear(process, target.process, () => deliver('late', true))
      } else {
        deliver('call', true)
        const lateMs = network.duplicate(process, target.process)
        if (lateMs !== undefined) deliver('again', false, lateMs)
      }
    })
    return true
  }

  /** Returns the function that breaks the connection on the server's side. */
  #serve(
    { service, process }: Listener,
    { path, method, headers, body }: Dispatcher.DispatchOptions,
    gone: boolean,
    done: (status: number, body: Buffer) => void, failed: () => void,
  ): () => void {
    const { kernel } = this.#network
    const { answer, hangUp } = inject(service.http, {
      method, path, headers: headers as Record<string, string>, body: String(body ?? ''), gone,
    })
    answer.then(
      ({ status, body }) => {
        kernel.touch()
        if (process.alive) done(status, body)
      },
      () => {
        kernel.touch()
        failed()
      },
    )
    return hangUp
  }

  override close(): never { throw new Error('a simulated dispatcher is not closed') }
  override destroy(): never { throw new Error('a simulated dispatcher is not destroyed') }
}
