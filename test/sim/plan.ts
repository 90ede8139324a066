// A run of the campaign as data: what its clients do and what happens to the machines meanwhile. Made from a seed; written to a
// file and cut down by the shrinker; carried out by run.ts. Everything in it stands by itself, so that any part can be left out.

import type { Random } from '../../src/ports/random.ts'
import { seeded } from '../../src/world/random.ts'
import { faultsOf, profiles, type Fault, type Profile } from './fault/index.ts'
import { workloads, type Workload } from './workload/index.ts'

/** What a client does, one after the other. */
export type Action =
  | { readonly kind: 'put'; readonly path: string; readonly content: Content; readonly replication: number; readonly overwrite: boolean }
  | { readonly kind: 'get' | 'remove' | 'mkdir' | 'list'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'setrep'; readonly path: string; readonly replication: number }
  /** `replaces`: over the output of a job, or over any directory. */
  | {
      readonly kind: 'job'
      readonly program: 'wordcount' | 'lengths'
      readonly input: string
      readonly path: string
      readonly reducers: number
      readonly replaces?: 'output' | 'anything'
    }
  /** A job whose output is to be below `path`, where a file comes meanwhile; then it is published at `to`. */
  | {
      readonly kind: 'elsewhere'
      readonly program: 'wordcount' | 'lengths'
      readonly input: string
      readonly path: string
      readonly to: string
      readonly reducers: number
    }
  | { readonly kind: 'snapshot' | 'unsnapshot'; readonly path: string; readonly name: string }
  /** Out of the trash. */
  | { readonly kind: 'restore'; readonly path: string }
  | { readonly kind: 'quota'; readonly path: string; readonly names: number }
  /** A node, for so long; or the balancer. */
  | { readonly kind: 'drain' | 'maintain' | 'balance'; readonly path: string; readonly ms: number }

/** Bytes that need not be kept: the same id and length give the same ones. */
export interface Content { readonly id: string; readonly bytes: number; readonly text: boolean }

export interface Op { readonly client: number; readonly pauseMs: number; readonly action: Action }

export interface Plan {
  readonly format: 1
  readonly seed: number
  readonly workload: Workload
  readonly profile: Profile
  readonly datanodes: number
  readonly racks: readonly string[]
  /** Of each datanode; 1 unless told. */
  readonly disks?: number
  readonly blockSize: string
  /** More settings of all processes. */
  readonly settings?: Readonly<Record<string, string>>
  readonly ops: readonly Op[]
  readonly faults: readonly Fault[]
}

/** Each purpose has a stream of its own: leaving out one does not shift the others. */
const streamOf = (seed: number, purpose: string): Random => seeded(`${seed}/${purpose}`)

export function planOf({
  seed, workload, profile,
}: {
  seed: number
  workload?: Workload | undefined
  profile?: Profile | undefined
}): Plan {
  const shape = streamOf(seed, 'shape')
  const names = Object.keys(workloads) as Workload[]
  const kinds = Object.keys(profiles) as Profile[]
  const [drawnWorkload, drawnProfile] = [names[shape.below(names.length)]!, kinds[shape.below(kinds.length)]!]
  const datanodes = 3 + shape.below(3)
  const racks = shape.below(2) === 0 ? ['/r1'] : ['/r1', '/r2']
  const chosen = workload ?? drawnWorkload
  const ops = workloads[chosen](streamOf(seed, 'ops'), { datanodes })
  const lastsMs = longestOf(ops)
  const blockSize = ['4KiB', '16KiB', '64KiB'][shape.below(3)]!
  const disks = [1, 1, 2, 3][shape.below(4)]!
  // Blocks of which nobody knows any more go at once, soon, or not in this run.
  const settings = {
    blockTrashKeep: ['0s', '20s', '1h'][shape.below(3)]!,
    ...((chosen === 'care' || ops.some(({ action }) => action.kind === 'job' && action.replaces)) && { trashKeep: '1h' }),
  }
  return {
    format: 1, seed, workload: chosen, profile: profile ?? drawnProfile, datanodes, racks, disks, blockSize, settings, ops,
    faults: faultsOf(streamOf(seed, 'faults'), { profile: profile ?? drawnProfile, datanodes, disks, lastsMs }),
  }
}

/** How long the slowest client pauses, all in all; its calls take time of their own. */
function longestOf(ops: readonly Op[]): number {
  const sums = new Map<number, number>()
  for (const { client, pauseMs } of ops) sums.set(client, (sums.get(client) ?? 0) + pauseMs)
  return Math.max(2_000, ...sums.values())
}

export const contentKey = ({ id, bytes, text }: Content): string => `${id}/${bytes}/${text ? 't' : 'b'}`
