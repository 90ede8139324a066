// Planted bugs, which test that the simulation finds them: each is a change of one place in the sources, made while the file is loaded,
// never on disk. If the place no longer exists, planting fails: a canary that is not planted proves nothing.

import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export interface Bug {
  readonly about: string
  /** Each `from` is found exactly once in its file. */
  readonly changes: readonly { readonly file: string; readonly from: string; readonly to: string }[]
  /** Workload of the search; default: all. */
  readonly workload?: string
  readonly profile?: string
  /** Whether small files are inlined in the runs of the search; default: false. */
  readonly inline?: boolean
  /** Seed that catches it, which `node test/sim/run.ts --canary NAME --seeds 50` prints; default: 1. */
  readonly caughtBy?: number
  /** Kept plan that catches it, for a bug that needs an order of events which seeds seldom draw. */
  readonly plan?: string
}

const root = join(import.meta.dirname, '../../..')

export const canaries = {
  'early-ack': {
    caughtBy: 13,
    about: 'a datanode acknowledges a block before it is on its disk',
    workload: 'files', profile: 'crashy',
    changes: [{ file: 'datanode/transfer/receive.ts', from: 'incoming?.seal(table)', to: '(void incoming?.seal(table).catch(() => {}))' }],
  },
  'wait-for-end': {
    caughtBy: 16,
    about: 'what waits for the first full report of a session outlasts the session, which waits for it',
    workload: 'files', profile: 'sessions',
    changes: [
      {
        file: 'datanode/heartbeat/session.ts',
        from: 'for (const waiting of [this.#reported, this.#fullSending, this.#fullAwaited]) waiting.reject(this.#ending.signal.reason)',
        to: '',
      },
    ],
  },
  'one-answer': {
    about: 'the files of one call share one kept answer',
    workload: 'small', profile: 'calm', inline: true,
    changes: [{ file: 'src/rpc/repeats.ts', from: 'requestId(`${id}.${part}`)', to: '(void part, id)' }],
  },
  'bytes-left': {
    about: 'the bytes of a removed inlined file stay in the store',
    workload: 'small', profile: 'calm', inline: true,
    changes: [{
      file: 'namenode/namespace/tree.ts', from: 'dropContent(draft, entry.id)\n    draft.count(\'files\', -1)', to: 'draft.count(\'files\', -1)',
    }],
  },
  'other-cache': {
    about: 'a step reads what another one has cached', workload: 'flows', profile: 'calm',
    changes: [{ file: 'client/jobs/runinputs.ts', from: 'number === step && !failed', to: 'number <= step && !failed' }],
  },
  'step-twice': {
    caughtBy: 2,
    about: 'processes that drive one program send its steps under ids of their own', workload: 'drives', profile: 'calm',
    changes: [{ file: 'client/call/cluster.ts', from: 'request.requestId ?? newId()', to: 'newId()' }],
  },
  'unrecorded-result': {
    caughtBy: 2,
    about: 'a program gets a result of a step while its record is still on its way', workload: 'drives', profile: 'calm',
    changes: [{
      file: 'client/jobs/drive.ts', from: 'await log.gets(encodeEntry(entry), this.#work.factsOf(step))',
      to: 'void log.gets(encodeEntry(entry), this.#work.factsOf(step)).catch(error => this.abandon(error))',
    }],
  },
  'forgotten-time': {
    caughtBy: 2,
    about: 'a namenode that starts again does not know when a schedule is due', workload: 'schedules', profile: 'crashy',
    changes: [{ file: 'namenode/jobs/scheduler/status.ts', from: '...task.dueMs !== undefined && { dueMs: task.dueMs },', to: '' }],
  },
  'forgotten-layout': {
    about: 'a namenode that starts again does not know which stages were rewritten', workload: 'flows', profile: 'crashy',
    changes: [{ file: 'namenode/jobs/store/store.ts', from: '[...layoutsOf(this.#journal.view, number)]', to: '[]' }],
    caughtBy: 12,
  },
  'no-directory-sync': {
    about: 'the name of a new block is not synced', workload: 'files', profile: 'crashy',
    changes: [{ file: 'datanode/store/incoming.ts', from: 'await this.#syncDirectory(this.#storage.directoryOf(id))', to: '' }],
  },
  'no-data-sync': {
    about: 'the bytes of a new block are not synced', workload: 'files', profile: 'crashy',
    changes: [{ file: 'datanode/store/incoming.ts', from: 'this.#sync(this.#writer)', to: 'undefined' }],
  },
  'lost-result': {
    caughtBy: 15,
    about: 'the answer to a request is not kept, so that a repeat acts again',
    changes: [
      {
        file: 'namenode/journal/group.ts', from: 'requestId && state.keptAnswer(requestId)',
        to: 'undefined as ReturnType<typeof state.keptAnswer> | undefined',
      },
    ],
    workload: 'names', profile: 'lossy',
  },
  'last-copy': {
    caughtBy: 10,
    about: 'where there are too many copies all but none are removed',
    changes: [
      { file: 'namenode/blocks/excess.ts', from: 'while (sure.length > map.target(id))', to: 'while (sure.length > 0)' },
      { file: 'namenode/blocks/reports.ts', from: 'if (others.length >= Math.max(1, map.target(id))) return true', to: 'return true' },
    ],
    workload: 'names',
  },
  'double-commit': {
    caughtBy: 40,
    about: 'a second attempt of a task is committed as well',
    changes: [
      { file: 'namenode/jobs/scheduler/report.ts', from: 'if (task.won || task.committing) {', to: 'if (task.committing) {' },
      { file: 'namenode/jobs/store/mutations.ts', from: 'if (other)\n', to: 'if (other && Math.PI === 3)\n' },
    ],
    workload: 'jobs', profile: 'lossy',
  },
  'past-end': {
    caughtBy: 1,
    about: 'a reader hands out what lies behind the end of what was asked for',
    changes: [{ file: 'src/file/block.ts', from: 'const to = Math.min(length, end - replica.position)', to: 'const to = length' }],
  },
  'stale-location': {
    caughtBy: 20,
    about: 'the namenode goes on believing that a replica is where it was lost',
    workload: 'files', profile: 'rot',
    changes: [{ file: 'namenode/blocks/reports.ts', from: 'this.#options.map.drop(id, node)', to: '' }],
  },
  'wall-clock': {
    plan: 'files-clocks-36',
    about: 'the namenode dates its tokens by its wall clock, which jumps',
    workload: 'files', profile: 'clocks',
    changes: [{ file: 'namenode/namenode.ts', from: 'clock: { now: () => journal.nowMs() } }', to: 'clock: this.#world.clock }' }],
  },
  revived: {
    caughtBy: 2,
    about: 'a reported block that the namenode does not know is left on its node, and counts for nothing',
    workload: 'names', profile: 'strangers',
    changes: [{ file: 'namenode/blocks/reports.ts', from: 'if (ids.size < suspectsMax) ids.add(id)', to: '' }],
  },
  'ids-again': {
    caughtBy: 2,
    about: 'a namenode that was rebuilt from an old backup gives out ids that it has given out before',
    workload: 'names', profile: 'restored',
    changes: [{ file: 'namenode/succession/recovered.ts', from: 'if (!lossy) return undefined', to: 'return undefined' }],
  },
  'old-copy': {
    caughtBy: 3,
    about: 'what datanodes have seen is not held against a namenode, and an old copy of its directory is obeyed',
    workload: 'files', profile: 'copies',
    changes: [
      {
        file: 'src/protocol/position.ts', from: 'has: Seen): string | undefined {',
        to: 'has: Seen): string | undefined {\n  if (Math.PI > 3) return undefined',
      },
      {
        file: 'namenode/succession/evidence.ts', from: 'nextBlock: number): Evidence {',
        to: "nextBlock: number): Evidence {\n  if (Math.PI > 3) return { verdict: 'own' }",
      },
      {
        file: 'namenode/succession/succession.ts', from: 'get doubt(): GristmillError | undefined {',
        to: 'get doubt(): GristmillError | undefined {\n    if (Math.PI > 3) return undefined',
      },
    ],
  },
  'first-datanode': {
    caughtBy: 4,
    about: 'the first datanode of its past ends the doubt of a namenode, also one that was switched off before its directory was copied',
    workload: 'files', profile: 'copies',
    changes: [
      {
        file: 'namenode/succession/witnesses.ts', from: 'this.#rememberedMs ??= this.#options.awake.mono()',
        to: 'this.#rememberedMs = Number.NEGATIVE_INFINITY',
      },
    ],
  },
  'new-datanode': {
    caughtBy: 8,
    about: 'a datanode that is new lets the doubt of a namenode end as one does that remembers it, and an old copy of its directory is obeyed',
    workload: 'files', profile: 'copies',
    changes: [
      {
        file: 'namenode/succession/witnesses.ts',
        from: "if (verdict === 'own' && (this.#all.has(node) || this.#all.size === 0)) this",
        to: 'this',
      },
    ],
  },
  'doubt-remembered': {
    caughtBy: 4,
    about: 'a datanode remembers the epoch of a namenode that is in doubt, and holds it against the one that was in use last',
    workload: 'files', profile: 'copies',
    changes: [{ file: 'datanode/heartbeat/epoch.ts', from: 'if (provisional) return', to: '' }],
  },
  'jobs-again': {
    plan: 'jobs-restored-numbers',
    about: 'a namenode that was rebuilt from an old backup gives jobs the numbers of those that it does not know',
    workload: 'jobs', profile: 'restored',
    changes: [{ file: 'namenode/succession/recovered.ts', from: 'encodeValue(lastJob(draft) + jobsLeap)', to: 'encodeValue(lastJob(draft))' }],
  },
  'replaced-for-good': {
    about: 'the output that a job replaces is removed, and not moved to the trash',
    workload: 'jobs', profile: 'lossy',
    changes: [
      { file: 'namenode/jobs/publish/publish.ts', from: 'if (trashMs === undefined) return detach', to: 'if (Math.PI > 3) return detach' },
    ],
  },
  'replaced-version': {
    caughtBy: 5,
    about: 'the output that a job replaces, or a rollback, is removed, and does not become a version',
    workload: 'jobs', profile: 'calm',
    changes: [{
      file: 'namenode/versions/shelf.ts',
      from: 'move(draft, { parent, name: place.name }, { parent: shelf.id, name: String(newest.number) }, head)',
      to: 'detach(draft, parent, place.name, head)',
    }],
  },
  'not-in-journal': {
    caughtBy: 1,
    about: 'a change depends on what happened in this process before, and not on the journal alone',
    changes: [
      {
        file: 'namenode/writing/mutations.ts',
        from: 'const mtime = Math.floor(mtimeMs ?? nowMs)',
        to: 'const grains = globalThis as { grains?: number }\n    const mtime = Math.floor(mtimeMs ?? nowMs) + (grains.grains = (grains.grains ?? 0) + 1)',
      },
    ],
  },
  litter: {
    caughtBy: 2,
    about: 'a block that came only in part is left where it was',
    profile: 'lossy',
    changes: [
      { file: 'datanode/store/incoming.ts', from: 'await this.#storage.discard(paths.flatMap(path => [path, `${path}.meta`]))', to: '' },
    ],
  },
  'late-snapshot': {
    caughtBy: 1, about: 'a snapshot shows what came after it', workload: 'care',
    changes: [{ file: 'namenode/snapshots/history.ts', from: 'if (draft.counters.snapshots === 0) return\n', to: 'return\n' }],
  },
  'quota-leak': {
    caughtBy: 5,
    about: 'what is removed goes on counting for the quota of its directory',
    workload: 'care',
    changes: [
      { file: 'namenode/quotas/usage.ts', from: 'if (amounts) change(draft, directories, -1, amounts)', to: 'if (amounts) return' },
    ],
  },
  drift: {
    about: 'files that are replaced go on being counted',
    workload: 'files', profile: 'lossy',
    changes: [
      { file: 'namenode/namespace/sweep.ts', from: "dropContent(draft, id)\n      draft.count('files', -1)", to: 'dropContent(draft, id)' },
    ],
  },
  'kind-fsck': {
    caughtBy: 2,
    about: 'the report on damage does not name files of which nothing is left',
    workload: 'files', profile: 'beyond',
    changes: [
      {
        file: 'namenode/admin/fsck.ts', from: "isCorrupt(id) ? 'corrupt' : counted",
        to: "isCorrupt(id) ? 'corrupt' : counted === 'missing' ? 'under' : counted",
      },
    ],
  },
  'no-second-try': {
    caughtBy: 13,
    about: 'a task whose function has thrown once on one node fails its job',
    workload: 'jobs', profile: 'sloth',
    changes: [{ file: 'namenode/jobs/scheduler/retry.ts', from: 'task.failures++', to: 'task.failures = job.spec.attemptsMax' }],
  },
  'reserved-for-ever': {
    about: 'the room of a block that was received stays reserved on its disk',
    workload: 'files',
    changes: [{ file: 'datanode/store/storage.ts', from: 'this.#reservedBytes -= bytes', to: '' }],
  },
  'indexes-counted-twice': {
    caughtBy: 10,
    about: 'the index of a map output that several reducers read at the same moment counts more than once, until only one index fits in the cache',
    workload: 'jobs',
    changes: [{ file: 'datanode/shuffle/mapoutputs.ts', from: 'this.#forgetIndex(attempt) // another', to: '// another' }],
  },
  'early-condition': {
    caughtBy: 1,
    about: 'the condition of a write is looked at before the bytes are sent, and not when the object appears',
    workload: 'objects',
    changes: [
      { file: 'namenode/objects/mutations.ts', from: 'checkExpected(expect, isOfKey ? key : there, to)', to: '' },
    ],
  },
  'copied-back': {
    caughtBy: 1,
    about: 'a copy of an object onto itself replaces what was written since it was read',
    workload: 'objects',
    changes: [{ file: 'client/gateway/s3/storing.ts', from: '(isItself ? { id: source.status.id } : undefined)', to: 'undefined' }],
  },
  'never-uncovered': {
    about: 'a version that a directory keeps from becoming the object stays an older version when the directory is gone',
    workload: 'versions', profile: 'calm',
    changes: [{ file: 'namenode/objects/removal.ts', from: 'if (isWaitedFor) restoreCovered(draft, place, path)', to: '' }],
  },
  'replaced-object': {
    about: 'in a bucket with versioning a replaced object is removed',
    workload: 'versions', profile: 'calm',
    changes: [{ file: 'namenode/objects/mutations.ts', from: 'if (state) setAside(', to: 'if (state && !there) setAside(' }],
  },
  'joined-and-left': {
    caughtBy: 4,
    about: 'the files that were joined to another one stay as well, with the blocks that are its own now',
    workload: 'edits', profile: 'calm',
    changes: [{
      file: 'namenode/writing/concat.ts', from: 'for (const each of [first!, ...others]) vacate(draft, each)', to: 'vacate(draft, first!)',
    }],
  },
  'cut-long': {
    about: 'a file that is cut keeps one byte more',
    workload: 'edits', profile: 'calm',
    changes: [{ file: 'client/files/append.ts', from: 'end: keep }', to: 'end: keep === undefined ? keep : keep + 1 }' }],
  },
  'replaced-input': {
    about: 'a build takes an input for unchanged that was replaced by as many files', workload: 'builds', profile: 'calm',
    changes: [{ file: 'client/jobs/why.ts', from: 'now?.digest === pin.digest', to: 'now?.files === pin.files' }],
  },
  'no-check': {
    caughtBy: 15,
    about: 'a reader over a wire does not look at checksums',
    // Damage on disks is usually found by scrubbers; only a reader that reads it first returns it.
    workload: 'files', profile: 'rot',
    changes: [
      {
        file: 'src/file/replica.ts',
        from: 'const bad = into.damagedChunk()\n      if (bad >= 0)',
        to: 'const bad = into.damagedChunk()\n      if (bad >= 1e9)',
      },
    ],
  },
} as const satisfies Record<string, Bug>

export type Canary = keyof typeof canaries

/** Plants a bug in this process. Throws if its place is not found. The process fails when a source that it touches was loaded before. */
export function plant(name: Canary): void {
  const texts = new Map<string, string>()
  const planted = new Set<string>()
  process.once('exit', code => {
    const missed = [...texts.keys()].filter(url => !planted.has(url))
    if (code > 1 || missed.length === 0) return
    console.error(`the canary "${name}" was not planted: ${missed.join(', ')} had been loaded before, or is not loaded at all`)
    process.exitCode = 2
  })
  for (const { file, from, to } of (canaries[name] as Bug).changes) {
    const url = pathToFileURL(join(root, file)).href
    const text = texts.get(url) ?? readFileSync(join(root, file), 'utf8')
    const found = text.split(from).length - 1
    if (found !== 1) throw new Error(`the canary "${name}" has lost its place: "${from}" is in ${file} ${found} times, not once`)
    texts.set(url, text.replace(from, () => to))
  }
  registerHooks({
    load: (url, context, next) => {
      const source = texts.get(url)
      if (source === undefined) return next(url, context)
      planted.add(url)
      return { ...next(url, context), source }
    },
  })
}
