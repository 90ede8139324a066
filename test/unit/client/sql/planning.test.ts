// Stages of the job of a query, planned with the real engine over files that a cluster without servers has.

import { expect, test } from 'vitest'
import type { SqlCluster } from '../../../../client/sql/cluster.ts'
import type { Distribute } from '../../../../client/sql/division.ts'
import { planJob } from '../../../../client/sql/planning.ts'
import { Workspace } from '../../../../client/sql/workspace.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { openDuckDB } from '../../../../src/world/duckdb.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { Local } from './kit.ts'

test('more files than a task may have are divided among tasks, however small they are, unless one task is asked for', async () => {
  using local = new Local()
  const files = Array.from({ length: 1001 }, (_, i) => {
    const status = { path: `/many/${i}.jsonl`, type: 'file', id: i + 1, length: 9, inlined: true, blockBytes: 1 << 20 }
    return { path: status.path, bytes: 9, status: status as never }
  })
  const cluster = {
    cluster: { ask: async () => ({ nodes: [{ state: 'live', slots: 2, running: 0 }] }) },
    files: { async *read() { yield Buffer.from('{"a": 1}\n') } },
  } as unknown as SqlCluster
  const planned = async (count: number, distribute: Distribute) => {
    const space = new Workspace(localDisk, local.scratchDir, systemRandom().id())
    try {
      return await planJob({
        sql: `SELECT count(*) AS n FROM "/many"`, tables: [{ name: '/many', kind: 'json', files: files.slice(0, count) }], distribute,
        disk: localDisk, openDatabase: openDuckDB, space, cluster, signal: undefined,
        last: sql => ({ sql, output: { kind: 'rows', format: 'parquet' } }),
      })
    } finally {
      await space.close()
    }
  }
  const { plan, stages } = await planned(1001, 'auto')
  expect(plan.stages.length).toBeGreaterThan(1)
  const [{ input } = { input: undefined }] = stages
  const splits = input?.kind === 'splits' ? input.splits : []
  expect(splits.flatMap(({ ranges }) => ranges)).toHaveLength(1001)
  expect((await planned(1000, 'auto')).plan.stages).toHaveLength(1)
  await expect(planned(1001, 'never')).rejects.toMatchObject({ code: 'TOO_LARGE' })
})
