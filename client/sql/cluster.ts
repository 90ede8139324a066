// The connection of a Mill, for queries of the command line: they open a Mill only when they read files of the cluster.

import type { FileClient } from '../../src/file/client.ts'
import type { PostgresColumn } from '../../src/connector/postgres/source.ts'
import type { LoadMode } from '../../src/connector/postgres/sink.ts'
import type { Cluster } from '../call/cluster.ts'

/** A place outside of the cluster whose content is in the cluster now, for one query. */
interface OutsideTable {
  readonly path: string
  /** Of lines of JSON whose values are texts of these types. Default: the files say it. */
  readonly columns?: readonly PostgresColumn[]
  /** Removes the copy. Never throws. */
  drop(): Promise<void>
}

interface OutsideOptions {
  /** Way of the rows into a table of PostgreSQL; default: swap. */
  readonly mode?: LoadMode | undefined
  /** Columns of the key of an upsert. */
  readonly key?: readonly string[] | undefined
  /** Replaces objects of S3 that are there. */
  readonly overwrite?: boolean | undefined
  /** Rows a second at most, into a table of PostgreSQL or a topic of Kafka; default: no bound. */
  readonly rate?: number | undefined
  /**
   * Path of the cluster at which the rows are published before they are moved, and stay. A statement that is run again moves those that are
   * there, each once, whatever a run before has done. Default: rows that are gone when they are there.
   */
  readonly via?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface SqlExportOptions extends Omit<OutsideOptions, 'signal'> {
  /** Format of objects of S3; default: parquet. */
  readonly format?: 'parquet' | 'csv' | undefined
}

/** `files`: of those that are there now. `note`: a line that says what is missing beside them: lineage does not name the place. */
export interface OutsideWritten { readonly files: number; readonly note?: string }

/** Places outside of the cluster: `postgres://…`, `s3://…`, `https://…`. */
export interface OutsidePlaces {
  read(url: string, signal: AbortSignal | undefined): Promise<OutsideTable>
  /** `make` publishes files at the path that it gets, which then go to the place, in one commit. */
  write(url: string, make: (path: string) => Promise<void>, options: OutsideOptions): Promise<OutsideWritten>
}

export interface SqlCluster {
  readonly cluster: Cluster
  readonly files: FileClient
  /** Default: no place outside of the cluster is reached. */
  readonly outside?: OutsidePlaces | undefined
}

const known = new WeakMap<object, SqlCluster>()

export const keepCluster = (mill: object, parts: SqlCluster): void => { known.set(mill, parts) }

export const clusterIn = (mill: object): SqlCluster => known.get(mill)!
