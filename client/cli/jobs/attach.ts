// Shows the progress of a job that another process has submitted, and of the steps of a detached program, until it ends. Ctrl-C ends the
// view, and not the job.

import type { JobStatus } from '../../../src/protocol/job.ts'
import { isDrive } from '../../../src/protocol/task.ts'
import { DetachedRun } from '../../jobs/detached.ts'
import { clusterIn } from '../../sql/cluster.ts'
import type { CommandContext } from '../context.ts'
import { follow } from './run.ts'

/** Throws the failure of the job. */
export async function attach(context: CommandContext, status: JobStatus): Promise<void> {
  const mill = await context.mill()
  const job = isDrive(status) ? new DetachedRun(clusterIn(mill).cluster, status.job) : mill.job(status.job)
  return follow(context, job, 'job', { isAttached: true })
}
