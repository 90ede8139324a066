// Whole namenodes over real directories, one life after the other, and their calls; a datanode is only its registration data and its memory
// of a reply.

import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { Namenode } from '../../../../namenode/namenode.ts'
import type { NamenodeTimes } from '../../../../namenode/times.ts'
import { address, nodeId, requestId } from '../../../../src/base/ids.ts'
import * as heartbeat from '../../../../src/protocol/heartbeat.ts'
import * as namespace from '../../../../src/protocol/namespace.ts'
import type { Message, ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import { nothingSeen, type Position, type Seen } from '../../../../src/protocol/position.ts'
import { Credentials } from '../../../../src/rpc/auth.ts'
import { Caller } from '../../../../src/rpc/call.ts'
import { realWorld } from '../../../../src/world/world.ts'

export const world = realWorld({ name: 'test', logLevel: 'silent' })
export const secret = Buffer.alloc(32, 7)
export let dir = ''
export let running: Namenode[] = []

/** Each test of the calling file has an empty directory; its namenodes end with it. */
export function eachInADirectory(): void {
  beforeEach(async () => { dir = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-succession-')) })
  afterEach(async () => {
    for (const each of running.splice(0)) await each.stop()
    await fs.rm(dir, { recursive: true, force: true })
  })
}

export interface Life {
  readonly namenode: Namenode
  call<M extends Message>(message: M, request: RequestOf<M>): Promise<ReplyOf<M>>
  register(seen?: Seen, node?: string): Promise<ReplyOf<typeof heartbeat.register>>
  mkdir(path: string): Promise<unknown>
  /** Operations so far, as told to a datanode that has seen nothing. */
  applied(): Promise<number>
  end(): Promise<void>
}

export let requests = 0

/** Repeats the call until it is not refused. */
export async function until(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try { return await work() } catch (error) { expect(error).toMatchObject({ code: 'SAFE_MODE' }) }
    await new Promise(resolve => { setTimeout(resolve, 20) })
  }
}

export async function live(at = 'nn', times: Partial<NamenodeTimes> = {}): Promise<Life> {
  const namenode = await Namenode.start(world, {
    times, dir: `${dir}/${at}`, host: '127.0.0.1', port: 0, secret, user: 'root', defaults: { replication: 1, blockBytes: 4096 },
  })
  running.push(namenode)
  const caller = new Caller({
    clock: world.clock, random: world.random, dispatcher: world.net.dispatcher,
    credentials: new Credentials({ secret, cluster: namenode.cluster, clock: world.clock, random: world.random, user: 'root' }),
  })
  const call: Life['call'] = (message, request) =>
    caller.call(namenode.address, message, request, { peer: 'namenode', retry: false, timeoutMs: 60_000 })
  return {
    namenode, call,
    register: (seen, node = 'n1') =>
      call(heartbeat.register, {
        node: nodeId(node), address: address(`127.0.0.1:${node.slice(1)}`), rack: '/r', host: 'h', pid: 1, version: '', slots: 0,
        storages: [], attempts: [], ...(seen && { seen }),
      }),
    mkdir: where => call(namespace.mkdir, { path: where as never, requestId: requestId(`test:${++requests}`) }),
    applied: async () =>
      (
        await call(heartbeat.register, {
          node: nodeId('n2'), address: address('127.0.0.1:2'), rack: '/r', host: 'h', pid: 1, version: '', slots: 0, storages: [],
          attempts: [], seen: nothingSeen,
        })
      ).at!.seq,
    async end() {
      running = running.filter(each => each !== namenode)
      await namenode.stop()
    },
  }
}

export interface Reply { readonly epoch: number; readonly at?: Position; readonly provisional?: boolean }

/** A datanode's memory of a reply; if the namenode was in doubt, its earlier memory. */
export const seenOf = ({ epoch, at, provisional }: Reply, before: Seen = nothingSeen): Seen =>
  (provisional ? before : { epoch, incarnation: at!.incarnation, seq: at!.seq, nextBlock: at!.nextBlock })

/** Copies the directory of a namenode that has ended. */
export const copy = (from: string, to: string): Promise<void> => fs.cp(`${dir}/${from}`, `${dir}/${to}`, { recursive: true })
