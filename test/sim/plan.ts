// Plan: a run of the campaign as data, with the actions of its clients and the faults of its machines. Made from a seed, stored in a
// file, reduced by the shrinker, carried out by run.ts. Its parts are independent, so that any of them can be left out.

import type { Random } from '../../src/ports/random.ts'
import { seeded } from '../../src/world/random.ts'
import { faultsOf, profiles, type Fault, type Profile } from './fault/index.ts'
import type { Program } from './programs.ts'
import { workloads, type Workload } from './workload/index.ts'

/** Action of a client; a client performs one after the other. */
export type Action =
  | { readonly kind: 'put'; readonly path: string; readonly content: Content; readonly replication: number; readonly overwrite: boolean }
  /** Files `f0`, `f1`, … of a directory, all at the same time. */
  | { readonly kind: 'puts'; readonly path: string; readonly contents: readonly Content[] }
  | { readonly kind: 'get' | 'remove' | 'mkdir' | 'list'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'setrep'; readonly path: string; readonly replication: number }
  /** `replaces`: an existing job output, or any directory, which go to the trash; or an output that is kept as a version. */
  | {
      readonly kind: 'job'
      readonly program: Program
      readonly input: string
      readonly path: string
      readonly reducers: number
      /** In place of `reducers`. */
      readonly partitionBytes?: number
      readonly replaces?: 'output' | 'anything' | 'version'
      /** Time between the submission and the first question about the job. Default: 0. */
      readonly waitMs?: number
    }
  /** Job with its output below `path`, where a file is created meanwhile; then it is published at `to`. */
  | {
      readonly kind: 'elsewhere'
      readonly program: Program
      readonly input: string
      readonly path: string
      readonly to: string
      readonly reducers: number
    }
  /** Build of the workflow; `until`: repeated until it succeeds; `isOther`: beside the builds of another client. */
  | { readonly kind: 'build'; readonly path: string; readonly until?: boolean; readonly isOther?: boolean }
  | { readonly kind: 'schedule'; readonly path: string; readonly rounds: number }
  /** Rolls an output back to its oldest version. */
  | { readonly kind: 'rollback'; readonly path: string }
  | { readonly kind: 'snapshot' | 'unsnapshot'; readonly path: string; readonly name: string }
  /** Restores from the trash. */
  | { readonly kind: 'restore'; readonly path: string }
  | { readonly kind: 'quota'; readonly path: string; readonly names: number }
  /** Operation of S3 on an object: `path` is a bucket and a key, `from` the source of a copy. */
  | {
      readonly kind: 'object'
      readonly does: ObjectAct
      readonly path: string
      readonly content: Content
      readonly from: string
      readonly parts: number
    }
  /** Decommission or maintenance of a node for `ms`, or balancing. */
  | { readonly kind: 'drain' | 'maintain' | 'balance'; readonly path: string; readonly ms: number }

/**
 * `claim`: a write that must find nothing; `replace` and `withdraw`: a write and a deletion of what was seen before; `touch`: a copy onto
 * itself; `join`: an upload of parts.
 */
export type ObjectAct = 'put' | 'claim' | 'replace' | 'delete' | 'withdraw' | 'copy' | 'touch' | 'join' | 'get' | 'list'

/** Generated content: equal id and length give equal bytes. */
export interface Content { readonly id: string; readonly bytes: number; readonly text: boolean }

export interface Op { readonly client: number; readonly pauseMs: number; readonly action: Action }

export interface Plan {
  readonly format: 1
  readonly seed: number
  readonly workload: Workload
  readonly profile: Profile
  readonly datanodes: number
  readonly racks: readonly string[]
  /** Disks of each datanode; default: 1. */
  readonly disks?: number
  readonly blockSize: string
  /** Additional settings of all processes. */
  readonly settings?: Readonly<Record<string, string>>
  readonly ops: readonly Op[]
  readonly faults: readonly Fault[]
}

/** Workloads that came later, and are drawn apart, so that the other seeds keep their plans. */
const apartDrawn: ReadonlySet<Workload> = new Set(['small', 'objects', 'builds'])

/** A separate stream for each purpose: leaving out one does not shift the others. */
const streamOf = (seed: number, purpose: string): Random => seeded(`${seed}/${purpose}`)

export function planOf({
  seed, workload, profile, inline,
}: {
  seed: number
  workload?: Workload | undefined
  profile?: Profile | undefined
  /** Whether small files are inlined; default: in every other run. */
  inline?: boolean | undefined
}): Plan {
  const shape = streamOf(seed, 'shape')
  // Drawn apart, so that the other seeds keep their plans.
  const apart = streamOf(seed, 'small')
  const names = (Object.keys(workloads) as Workload[]).filter(name => !apartDrawn.has(name))
  const kinds = Object.keys(profiles) as Profile[]
  const [drawnWorkload, drawnProfile] = [names[shape.below(names.length)]!, kinds[shape.below(kinds.length)]!]
  const datanodes = 3 + shape.below(3)
  const racks = shape.below(2) === 0 ? ['/r1'] : ['/r1', '/r2']
  const inlines = inline ?? apart.below(2) === 0
  const isObjects = streamOf(seed, 'objects').below(8) === 0
  const isBuilds = streamOf(seed, 'builds').below(12) === 0
  const isSmall = inline === undefined && apart.below(8) === 0
  const drawn = isBuilds ? 'builds' : isObjects ? 'objects' : isSmall ? 'small' : drawnWorkload
  const chosen = workload ?? drawn
  const ops = workloads[chosen](streamOf(seed, 'ops'), { datanodes })
  const lastsMs = longestOf(ops)
  // Objects are replaced so often that, with the smallest blocks, more of them are garbage than a datanode removes for a young namenode.
  const blockSize = [chosen === 'objects' ? '16KiB' : '4KiB', '16KiB', '64KiB'][shape.below(3)]!
  const disks = [1, 1, 2, 3][shape.below(4)]!
  // Unknown blocks are deleted at once, soon, or not in this run.
  const settings = {
    blockTrashKeep: ['0s', '20s', '1h'][shape.below(3)]!,
    ...((chosen === 'care' || ops.some(({ action }) => action.kind === 'job' && action.replaces)) && { trashKeep: '1h' }),
    ...(ops.some(({ action }) => action.kind === 'rollback') && { versionsKeep: '2' }),
    ...((inlines || chosen === 'small') && { inlineBytes: '4096' }),
  }
  const faults = faultsOf(streamOf(seed, 'faults'), { profile: profile ?? drawnProfile, datanodes, disks, lastsMs })
  return {
    format: 1, seed, workload: chosen, profile: profile ?? drawnProfile, datanodes, racks, disks, blockSize, settings, ops, faults,
  }
}

/** Sum of the pauses of the slowest client, without the time of its calls. */
function longestOf(ops: readonly Op[]): number {
  const sums = new Map<number, number>()
  for (const { client, pauseMs } of ops) sums.set(client, (sums.get(client) ?? 0) + pauseMs)
  return Math.max(2_000, ...sums.values())
}

export const contentKey = ({ id, bytes, text }: Content): string => `${id}/${bytes}/${text ? 't' : 'b'}`
