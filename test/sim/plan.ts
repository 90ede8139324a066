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
  /**
   * Program that runs detached, with outputs below `path`; `endDrivers`: the processes that drive programs are killed, now, or, with
   * `lateMs`, when they send their next step, whose request is on its way for so long. `withinMs`: one is awaited for so long, and killed
   * `afterMs` after its start.
   */
  | { readonly kind: 'drive'; readonly input: string; readonly path: string }
  | { readonly kind: 'endDrivers'; readonly path: string; readonly lateMs?: number; readonly withinMs?: number; readonly afterMs?: number }
  /** Schedule of a workflow that the cluster follows for so long, and until all is healed. */
  | { readonly kind: 'follow'; readonly path: string; readonly ms: number }
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
  /** Operation of WebHDFS on a file; `sources` of `concat`; `permille`: the part of the file that stays, or from which on it is read. */
  | {
      readonly kind: 'edit'
      readonly does: EditAct
      readonly path: string
      readonly content: Content
      readonly sources: readonly string[]
      readonly permille: number
    }
  /** Operation of S3 in the bucket with versioning; `pick`: number by which one of the versions that are known is chosen. */
  | { readonly kind: 'version'; readonly does: VersionAct; readonly path: string; readonly content: Content; readonly pick: number }
  /** Decommission or maintenance of a node for `ms`, or balancing. */
  | { readonly kind: 'drain' | 'maintain' | 'balance'; readonly path: string; readonly ms: number }

/**
 * `claim`: a write that must find nothing; `replace` and `withdraw`: a write and a deletion of what was seen before; `touch`: a copy onto
 * itself; `join`: an upload of parts.
 */
export type ObjectAct = 'put' | 'claim' | 'replace' | 'delete' | 'withdraw' | 'copy' | 'touch' | 'join' | 'get' | 'list'

export type EditAct = 'create' | 'append' | 'truncate' | 'concat' | 'delete' | 'open'

/** `undelete`: the removal of the delete marker of a key; `prune`: of any version; `clear`: of all that are known. */
export type VersionAct = 'store' | 'delete' | 'undelete' | 'prune' | 'clear' | 'get' | 'getVersion' | 'list'

/** Generated content: equal id and length give equal bytes. */
export interface Content {
  readonly id: string
  readonly bytes: number
  readonly text: boolean
  /** In place of generated bytes: those of parts of other contents, which the id names. */
  readonly pieces?: readonly Piece[]
}

/** Bytes of a generated content; `to` is exclusive. */
export interface Piece { readonly content: Content; readonly from: number; readonly to: number }

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
const apartDrawn: ReadonlySet<Workload> = new Set(['small', 'objects', 'builds', 'versions', 'edits', 'drives', 'schedules'])

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
  const isVersions = streamOf(seed, 'versions').below(12) === 0
  const isEdits = streamOf(seed, 'edits').below(12) === 0
  const isDrives = streamOf(seed, 'drives').below(16) === 0
  // Each takes ten times as long as another seed.
  const isSchedules = streamOf(seed, 'schedules').below(48) === 0
  const drawn = isBuilds ? 'builds' : isObjects ? 'objects' : isSmall ? 'small'
    : isVersions ? 'versions' : isEdits ? 'edits' : isDrives ? 'drives' : isSchedules ? 'schedules' : drawnWorkload
  const chosen = workload ?? drawn
  const ops = workloads[chosen](streamOf(seed, 'ops'), { datanodes })
  const lastsMs = longestOf(ops)
  // Objects are replaced so often that, with the smallest blocks, more of them are garbage than a datanode removes for a young namenode.
  const isReplacing = ['objects', 'versions', 'edits'].includes(chosen)
  const blockSize = [isReplacing ? '16KiB' : '4KiB', '16KiB', '64KiB'][shape.below(3)]!
  const disks = [1, 1, 2, 3][shape.below(4)]!
  // Unknown blocks are deleted at once, soon, or not in this run.
  const settings = {
    blockTrashKeep: ['0s', '20s', '1h'][shape.below(3)]!,
    ...((chosen === 'care' || ops.some(({ action }) => action.kind === 'job' && action.replaces)) && { trashKeep: '1h' }),
    ...(ops.some(({ action }) => action.kind === 'rollback') && { versionsKeep: '2' }),
    ...((inlines || chosen === 'small') && { inlineBytes: '4096' }),
    // Heartbeats are most of the events of ten minutes: as few as there may be for a node that is not stale.
    ...(chosen === 'schedules' && { heartbeat: '900ms' }),
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
