// A run of the campaign as data: what its clients do and what happens to the machines meanwhile. Made from a seed; written to a
// file and cut down by the shrinker; carried out by run.ts. Everything in it stands by itself, so that any part can be left out.

import type { Failpoint } from '../../src/base/failpoints.ts'
import type { Random } from '../../src/ports/random.ts'
import { seeded } from '../../src/world/random.ts'
import type { Damage, FailAction, Spoil } from '../kit/contract.ts'
import { faultsOf, profiles, type Profile } from './faults.ts'
import { workloads, type Workload } from './workload/index.ts'

/** What a client does, one after the other. */
export type Action =
  | { readonly kind: 'put'; readonly path: string; readonly content: Content; readonly replication: number; readonly overwrite: boolean }
  | { readonly kind: 'get' | 'remove' | 'mkdir' | 'list'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'setrep'; readonly path: string; readonly replication: number }
  | { readonly kind: 'job'; readonly program: 'wordcount' | 'lengths'; readonly input: string; readonly path: string; readonly reducers: number }
  | { readonly kind: 'drain'; readonly path: string; readonly ms: number }

/** Bytes that need not be kept: the same id and length give the same ones. */
export interface Content { readonly id: string; readonly bytes: number; readonly text: boolean }

export interface Op { readonly client: number; readonly pauseMs: number; readonly action: Action }

/** What happens to the machines, at a time since the start. A fault that lasts ends by itself after `ms`. */
export type FaultAction =
  | { readonly kind: 'kill' | 'stop' | 'powerCut' | 'pause' | 'fillDisk'; readonly node: string; readonly ms: number }
  | { readonly kind: 'failSync'; readonly node: string; readonly nth: number; readonly ms: number }
  | { readonly kind: 'wipe'; readonly node: string; readonly ms: number }
  | { readonly kind: 'cut'; readonly node: string; readonly other: string; readonly oneWay: boolean; readonly ms: number }
  | { readonly kind: 'spoil'; readonly node: string; readonly other: string; readonly how: Spoil; readonly ms: number }
  | { readonly kind: 'damage'; readonly node: string; readonly pick: number; readonly how: Damage | 'swap' }
  | { readonly kind: 'failpoint'; readonly node: string; readonly point: Failpoint; readonly action: FailAction; readonly nth: number; readonly ms: number }

export interface Fault { readonly atMs: number; readonly action: FaultAction }

export interface Plan {
  readonly format: 1
  readonly seed: number
  readonly workload: Workload
  readonly profile: Profile
  readonly datanodes: number
  readonly racks: readonly string[]
  readonly blockSize: string
  readonly ops: readonly Op[]
  readonly faults: readonly Fault[]
}

/** Each purpose has a stream of its own: leaving out one does not shift the others. */
const streamOf = (seed: number, purpose: string): Random => seeded(`${seed}/${purpose}`)

export function planOf({ seed, workload, profile }: { seed: number; workload?: Workload | undefined; profile?: Profile | undefined }): Plan {
  const shape = streamOf(seed, 'shape')
  const names = Object.keys(workloads) as Workload[]
  const kinds = Object.keys(profiles) as Profile[]
  const [drawnWorkload, drawnProfile] = [names[shape.below(names.length)]!, kinds[shape.below(kinds.length)]!]
  const datanodes = 3 + shape.below(3)
  const racks = shape.below(2) === 0 ? ['/r1'] : ['/r1', '/r2']
  const chosen = workload ?? drawnWorkload
  const ops = workloads[chosen](streamOf(seed, 'ops'), { datanodes })
  const lastsMs = longestOf(ops)
  return {
    format: 1, seed, workload: chosen, profile: profile ?? drawnProfile, datanodes, racks, blockSize: ['4KiB', '16KiB', '64KiB'][shape.below(3)]!, ops,
    faults: faultsOf(streamOf(seed, 'faults'), { profile: profile ?? drawnProfile, datanodes, lastsMs }),
  }
}

/** How long the slowest client pauses, all in all; its calls take time of their own. */
function longestOf(ops: readonly Op[]): number {
  const sums = new Map<number, number>()
  for (const { client, pauseMs } of ops) sums.set(client, (sums.get(client) ?? 0) + pauseMs)
  return Math.max(2_000, ...sums.values())
}

export const contentKey = ({ id, bytes, text }: Content): string => `${id}/${bytes}/${text ? 't' : 'b'}`
