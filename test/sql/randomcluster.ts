// Random queries on a cluster of three datanodes, real processes on this machine: small tables in several files, each query divided, its
// answer compared with plain DuckDB's. `node test/sql/random.ts --cluster --fresh 300`.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Mill } from '../../client/index.ts'
import { clusterIn } from '../../client/sql/cluster.ts'
import { SqlQuery } from '../../client/sql/query.ts'
import type { TableInfo } from '../../src/sql/query.ts'
import { localDisk } from '../../src/world/disk.ts'
import { openDuckDB as openDatabase } from '../../src/world/duckdb.ts'
import { systemRandom } from '../../src/world/random.ts'
import { startClusterHere } from '../cluster/inprocess.ts'
import { openDuckDB, read, type Answer } from './duckdb.ts'
import { randomOf } from './draw.ts'
import { randomQuery } from './generator.ts'
import { faultOf, type Outcome } from './outcome.ts'
import { plainValue } from './plain.ts'
import { makeTables, randomTables } from './tables.ts'

/** Files of each table, of which some have no rows. */
const filesEach = 3

export async function* clusterRuns(seeds: readonly number[]): AsyncGenerator<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'gristmill-random-'))
  const cluster = await startClusterHere({ datanodes: 3, settings: { GRISTMILL_SLOTS: '1', GRISTMILL_REPLICATION: '2' } })
  try {
    await using mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
    const eras = Map.groupBy(seeds, seed => Math.floor(seed / 25))
    for (const [era, own] of eras) {
      const tables = randomTables(randomOf(era))
      const connection = await openDuckDB()
      await makeTables(connection, tables, randomOf(era * 31 + 7))
      await store(mill, connection, tables, { dir, era })
      for (const seed of own) {
        const random = randomOf(seed)
        const { sql, isOrdered } = randomQuery(random, tables)
        const expected = await read(connection, sql).catch((error: unknown) => error as Error)
        const gathered: string[] = []
        const broadcastBytes = random.pick([0, 1000, 1e9])
        const stored = sql.replaceAll(/\b([tuv]) AS a(?=\d)/g, `'/random/${era}/$1' AS a`)
        const found = await answerOf(mill, stored, { dir, broadcastBytes, gathered }).catch((error: unknown) => error as Error)
        const { names, types } = expected instanceof Error ? { names: [], types: [] } : expected
        const same = found instanceof Error ? found : { ...found, names, types }
        const fault = faultOf(same, expected, isOrdered)
        yield { seed, sql, gathered, failed: expected instanceof Error, ...fault !== undefined && { fault } }
      }
      connection.closeSync()
    }
  } finally {
    await cluster.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function store(
  mill: Mill, connection: Awaited<ReturnType<typeof openDuckDB>>, tables: readonly TableInfo[], { dir, era }: { dir: string; era: number },
): Promise<void> {
  for (const { name } of tables) {
    const folder = join(dir, String(era), name)
    mkdirSync(folder, { recursive: true })
    for (let i = 0; i < filesEach; i++)
      await connection.run(`COPY (SELECT * FROM ${name} WHERE id % ${filesEach} = ${i}) TO '${folder}/${i}.parquet'`)
  }
  await mill.put(join(dir, String(era)), `/random/${era}`, { recursive: true, parents: true })
}

interface Asking { readonly dir: string; readonly broadcastBytes: number; readonly gathered: string[] }

async function answerOf(mill: Mill, sql: string, { dir, broadcastBytes, gathered }: Asking): Promise<Answer> {
  const query = new SqlQuery({
    disk: localDisk, random: systemRandom(), openDatabase, scratchDir: join(dir, 'scratch'), cwd: dir, cluster: async () => clusterIn(mill),
    division: { planner: { smallBytes: 0, broadcastBytes }, partitions: 3, splitBytes: 1 },
  }, sql, undefined, { distribute: 'always' })
  const { stages } = await query.explain()
  gathered.push(...stages.flatMap(stage => stage.gathered ?? []))
  await using running = await query.run()
  const rows: unknown[][] = []
  for await (const batch of running.batches()) for (const row of batch) rows.push(row.map(plainValue))
  return { names: [], types: [], rows }
}
