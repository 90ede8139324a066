// Queries that programs over Datasets run: always as a job, whose tasks store the rows as values that later steps of the program read.

import { GristmillError } from '../../src/base/errors.ts'
import { inputName } from '../jobs/inputreads.ts'
import type { Job } from '../jobs/job.ts'
import { PinCollector } from '../jobs/pins.ts'
import type { StepQueryGiven, SubmitStepQuery } from '../jobs/stepquery.ts'
import { askedOf, engineOf, localAmong, workspaceIn, type SqlTools } from './asked.ts'
import { submitQuery } from './job.ts'
import { isOutside } from './outside.ts'
import { planJob } from './planning.ts'
import { explainedIn, uniqueNames } from './running.ts'

/** Submits queries. Throws as `mill.sql(…).save` does. */
export const stepQueries = (tools: SqlTools): SubmitStepQuery => (given, onReads) => submitted(tools, given, onReads)

async function submitted(
  given: SqlTools, { sql: text, tables: own, driver, queue, priority, memoryBytes, signal }: StepQueryGiven,
  onReads: Parameters<SubmitStepQuery>[1],
): Promise<Job> {
  const tools: SqlTools = { ...given, lines: new Map(own.map(table => [table.name.toLowerCase(), table])) }
  const openDatabase = engineOf(tools)
  await using space = workspaceIn(tools)
  try {
    const { statement: { sql, explain }, tables, views } = await askedOf(tools, { text, params: undefined, signal, space })
    if (explain) throw new GristmillError('EINVAL', 'EXPLAIN has no rows that a program could read; mill.sql of the library explains queries')
    const local = localAmong(tables)
    if (local)
      throw new GristmillError('EINVAL', `${local.name} is a file of this machine, which no task can read; put it into the cluster`)
    const cluster = await tools.cluster()
    const planned = await planJob({
      sql, tables, distribute: 'auto', disk: tools.disk, openDatabase, space, cluster, signal, ...tools.division,
      last: (query, columns) => ({ sql: query, output: { kind: 'values', names: uniqueNames(columns) } }),
    })
    const pins = new PinCollector()
    for (const { name, path = name, files } of tables)
      if (!tools.lines!.has(name.toLowerCase())) for (const { status } of files) pins.note(inputName(path), status!)
    onReads({ pins: await pins.pins(cluster.cluster.ask, signal), views })
    const job = await submitQuery(cluster.cluster, { tables, ...planned, text, driver, memoryBytes, queue, priority, signal })
    // Its tasks read copies that are removed with the workspace. The program sees a failure in its own wait.
    if (tables.some(({ name }) => isOutside(name))) await job.wait({ signal }).catch(() => undefined)
    return job
  } catch (error) {
    throw await explainedIn(error, space)
  }
}
