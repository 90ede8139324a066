// Calls of operators to a cluster: its state and health, safe mode, backups, and the safeguards around deletions. A superclass of Mill.

import { GristmillError } from '../src/base/errors.ts'
import { status, type ClusterStatus } from '../src/protocol/admin.ts'
import type { Message, ReplyOf, RequestOf } from '../src/protocol/message.ts'
import {
  allowDeletions, backup, fsck, lost, recount, releaseLost, safeMode, type AllowedDeletions, type BackupMade, type FsckPage, type LostState,
  type RecountResult, type SafeModeState,
} from '../src/protocol/safety.ts'
import { callOptions, flagsOf, optionsOf, shown, textOf, type CallOptions, type Path } from './call/arguments.ts'
import type { CallMessage } from './call/cluster.ts'
import { paged } from './call/pages.ts'
import { during, perform } from './call/perform.ts'
import { Files } from './files/files.ts'
import { placed } from './files/resolve.ts'

interface FsckOptions extends CallOptions {
  /** Include healthy files and blocks. */
  readonly healthy?: boolean | undefined
  readonly locations?: boolean | undefined
}

/** Calls whose duration grows with the size of the state. */
export type Patient = <M extends Message>(
  message: M, request: RequestOf<M>,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
) => Promise<ReplyOf<M>>

export interface OperationParts { readonly ask: CallMessage; readonly patient: Patient }

/** One hour: a backup copies and checks tens of gigabytes. */
const backupMs = 3_600_000

export class Operations extends Files {
  readonly #ask: CallMessage
  readonly #patient: Patient

  constructor(files: ConstructorParameters<typeof Files>[0], { ask, patient }: OperationParts) {
    super(files)
    this.#ask = ask
    this.#patient = patient
  }

  /** Nodes, blocks and their health, as the namenode sees them now. */
  clusterStatus(options?: CallOptions | null): Promise<ClusterStatus> {
    return perform('status', undefined, callOptions('clusterStatus', options), async ({ signal }) => this.#ask(status, {}, signal))
  }

  /**
   * Health of everything at and below a path, page by page: blocks that are missing or corrupt or have too few or too many
   * replicas, and counts. With `healthy`, includes healthy files and blocks. Throws ENOENT, EACCES.
   */
  async *fsck(path: Path, options?: FsckOptions | null): AsyncGenerator<FsckPage, void, undefined> {
    const { request, signal } = await during('fsck', path, async () => {
      const {
        healthy, locations, signal: given,
      } = optionsOf<FsckOptions>(options, 'fsck', { healthy: true, locations: true, signal: true })
      flagsOf({ healthy, locations }, 'healthy', 'locations')
      return {
        request: { path: await placed(this.#ask, path, given), ...(healthy && { healthy }), ...(locations && { locations }) },
        signal: given,
      }
    })
    yield* paged((after: FsckPage['next']) =>
      during('fsck', path, () => this.#ask(fsck, { ...request, ...(after && { after }) }, signal), signal),
    )
  }

  /**
   * Counts the namenode's whole state and compares it with the totals, lengths and usages of quotas that it keeps. Throws EACCES: it is
   * for the superuser.
   */
  recount(options?: CallOptions | null): Promise<RecountResult> {
    return perform('recount', undefined, callOptions('recount', options), async ({ signal }) => {
      for (let progress = await this.#ask(recount, {}, signal); ;) {
        if (progress.result) return progress.result
        progress = await this.#ask(recount, { recount: progress.recount }, signal)
      }
    })
  }

  /** Reads or changes safe mode, in which everything can be read and nothing be changed. */
  safeMode(action: 'get' | 'enter' | 'leave' = 'get', options?: CallOptions | null): Promise<SafeModeState> {
    return perform('safemode', undefined, callOptions('safeMode', options), async ({ signal }) => {
      if (action !== 'get' && action !== 'enter' && action !== 'leave')
        throw new GristmillError('EINVAL', `the action on safe mode is ${shown(action)}; it must be "get", "enter" or "leave"`)
      return this.#ask(safeMode, { action }, signal)
    })
  }

  /** Makes a checked backup of the namenode's state, in a directory of its machine. Throws DIR_FOREIGN, EACCES, ENOSPC, EBUSY. */
  backup(dir?: string | null, options?: CallOptions | null): Promise<BackupMade> {
    return perform('backup', undefined, callOptions('backup', options), async ({ signal }) => {
      const request = dir === undefined || dir === null ? {} : { dir: textOf(dir, 'directory of the backup', { max: 4096 }) }
      return this.#patient(backup, request, { timeoutMs: backupMs, signal })
    })
  }

  /** Replicas on datanodes that a recovery could not assign to files; they are kept. Throws EACCES. */
  lost(options?: CallOptions | null): Promise<LostState> {
    return perform('lost', undefined, callOptions('lost', options), async ({ signal }) => this.#ask(lost, {}, signal))
  }

  /** Turns the replicas that `lost` reports into garbage. Returns their state before. Throws EACCES, SAFE_MODE. */
  releaseLost(options?: CallOptions | null): Promise<LostState> {
    return perform('lost', undefined, callOptions('releaseLost', options), async ({ signal }) => this.#ask(releaseLost, {}, signal))
  }

  /** Allows datanodes to delete what they have refused to delete for a recently started namenode. Throws EACCES. */
  allowDeletions(options?: CallOptions | null): Promise<AllowedDeletions> {
    return perform('allow', undefined, callOptions('allowDeletions', options), async ({ signal }) =>
      this.#ask(allowDeletions, {}, signal),
    )
  }
}
