// Job store on a real journal and namespace, in memory, with the actions of executors.

import { JournalJobStore } from '../../../../../namenode/jobs/store/store.ts'
import type { TaskRecord } from '../../../../../namenode/jobs/store/record.ts'
import { list } from '../../../../../namenode/namespace/read.ts'
import { complete, create } from '../../../../../namenode/writing/mutations.ts'
import { attemptId, nodeId, requestId, type JobId } from '../../../../../src/base/ids.ts'
import type { JobSpec, JobStatus } from '../../../../../src/protocol/job.ts'
import type { OutputFile } from '../../../../../src/protocol/task.ts'
import { as, openBench, root, type Bench } from '../../kit.ts'
import { specOf } from '../scheduler/kit.ts'
import { checked } from '../../../checked.ts'

let requests = 0

/** `behind`: the test changes jobs behind the store's back, or counts its reads; its state is not looked at then. */
export async function open(
  bench?: Bench, { trash, behind = false, versions }: { trash?: boolean; behind?: boolean; versions?: number } = {},
): Promise<{ bench: Bench; store: JournalJobStore }> {
  const opened = await openBench(bench && { store: bench.store.reopened(), disk: bench.disk.cut(), clock: bench.clock })
  const store = new JournalJobStore({ journal: opened.journal, clock: opened.clock, ...(trash !== undefined && { trash }), versions })
  return { bench: opened, store: behind ? store : checked(store) }
}

export const mapOnly = (
  output = '/out', overwrite = false, more: Partial<JobSpec> & { force?: boolean; ifVersion?: number } = {},
): JobSpec => {
  const spec = specOf({ maps: 2, reduces: 0 })
  const { force, ifVersion, ...rest } = more
  const conditions = { ...force && { force }, ...ifVersion !== undefined && { ifVersion } }
  return { ...spec, ...rest, output: { ...spec.output, path: output, overwrite, ...conditions } }
}
export const submit = (store: JournalJobStore, spec = mapOnly(), user = 'ann', id = `c:${++requests}`): Promise<JobId> =>
  store.submit({ requestId: requestId(id), actor: as(user), spec })

/** Writes a file as an executor does. */
export async function write(bench: Bench, path: string, bytes = 5, user = 'ann'): Promise<OutputFile> {
  const actor = as(user)
  const { lease, blocks } = await bench.journal.submit(create, {
    path, parents: true, replication: 1, blockBytes: 4096, blocks: 1, nowMs: 1, ...actor,
  })
  const { status } = await bench.journal.submit(complete, {
    lease,
    blocks: [{ id: blocks[0]!, length: bytes, crc: 1, aligned: true }],
    nowMs: 1, ...actor,
  })
  return { name: path.slice(path.lastIndexOf('/') + 1), inode: status.id, length: bytes, crc: 1 }
}

export function record(job: JobId, task: number, files: OutputFile[], number = 0): TaskRecord {
  return {
    stage: 0, task, others: [],
    won: {
      attempt: attemptId({ job, stage: 0, task, attempt: number }),
      node: nodeId('n'), host: 'h', locality: 'node', startedMs: 1, finishedMs: 2, counters: { records: 1 },
      output: { kind: 'files', files },
    },
  }
}

/** Runs and commits one attempt of a task. */
export async function runTask(bench: Bench, store: JournalJobStore, job: JobId, task: number, number = 0) {
  const attempt = attemptId({ job, stage: 0, task, attempt: number })
  const file = await write(bench, `/.gristmill/jobs/${job}/${attempt}/part-${task}`)
  return store.commit(job, record(job, task, [file], number))
}

export const over = (store: JournalJobStore, job: JobId, state: JobStatus['state']): JobStatus => ({
  ...store.head(job)!.status, state, finishedMs: 9,
})
export const names = (bench: Bench, path: string): string[] => list(bench.journal.view, root, { path }).entries.map(entry => entry.path)
