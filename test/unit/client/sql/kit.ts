// Queries over files of a temporary directory, in this process, with the real engine; without a cluster, if the test gives none.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { SqlCluster } from '../../../../client/sql/cluster.ts'
import { SqlQuery, type SqlOptions, type SqlRow } from '../../../../client/sql/query.ts'
import type { SqlParams } from '../../../../client/sql/statement.ts'
import { loadAvro } from '../../../../src/world/avro.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { openDuckDB } from '../../../../src/world/duckdb.ts'
import { systemRandom } from '../../../../src/world/random.ts'

export class Local implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'gristmill-sql-'))
  readonly scratchDir = join(this.dir, 'scratch')
  readonly #cluster: SqlCluster | undefined

  /** `cluster`: default: there is none. */
  constructor(cluster?: SqlCluster) { this.#cluster = cluster }

  write(name: string, text: string | Uint8Array): string {
    const path = join(this.dir, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    return path
  }

  query(text: string, params?: SqlParams, options: SqlOptions = {}, cwd = this.dir): SqlQuery {
    return new SqlQuery({
      disk: localDisk, random: systemRandom(), openDatabase: openDuckDB, loadAvro, scratchDir: this.scratchDir, cwd, home: this.dir,
      cluster: async () => {
        if (!this.#cluster) throw new Error('there is no cluster')
        return this.#cluster
      },
    }, text, params, options)
  }

  rows(text: string, params?: SqlParams): Promise<SqlRow[]> { return this.query(text, params).collect() }

  [Symbol.dispose](): void { rmSync(this.dir, { recursive: true, force: true }) }
}
