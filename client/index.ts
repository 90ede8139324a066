// The public API, exported as 'gristmill'. Everything else in the package may change without notice. Importing it is cheap; the
// code for a cluster is loaded when one is opened.

import type { Address } from '../src/base/ids.ts'
import type { Settings } from '../src/base/settings.ts'
import type { Machine } from '../src/ports/machine.ts'
import type { World } from '../src/ports/world.ts'
import type { Mill } from './mill.ts'

export { codes, GristmillError, hasCode, type ErrorCode } from '../src/base/errors.ts'
export { version } from '../src/base/version.ts'
export * from '../src/program/authoring.ts'
export type { Mill } from './mill.ts'
export type { Job } from './jobs/job.ts'
export type { ExplainedStage, Explanation } from './jobs/explain.ts'
export type { RunOptions } from './jobs/options.ts'
export type { Run } from './jobs/running.ts'
export type { CommandText, StreamOptions } from './jobs/stream.ts'
export type { DataFrame, GroupedFrame, FrameJoin } from './frame/dataframe.ts'
export type { SqlExplanation, SqlInputExplanation, SqlStageExplanation } from './sql/explained.ts'
export type { OutsideWritten, SqlExportOptions } from './sql/cluster.ts'
export type { SqlOptions, SqlQuery, SqlRow, SqlSaveOptions } from './sql/query.ts'
export type { SqlParams } from './sql/statement.ts'
export type { SqlValue } from '../src/base/sql.ts'
export type { RerunOptions } from './jobs/rerun.ts'
export type { Lineage, LineageNode } from './jobs/lineage.ts'
export type { Staleness, StaleReason } from './jobs/why.ts'
export type { BuildOptions, BuildReason, BuildResult, BuildState, BuiltDataset } from './workflows/build.ts'
export type { ScheduleOptions } from './workflows/detached.ts'
export type { ScheduledBuild } from './workflows/schedule.ts'
export type { OutputDifference } from './jobs/rowdiff.ts'
export type { FileHandle } from './files/handle.ts'
export type { Dirent, Stats } from './files/stats.ts'
export type { ReadStream, ReadStreamOptions } from './files/read.ts'
export type { FileData, WriteOptions, WriteStream, WriteStreamOptions } from './files/write.ts'
export type { Copied, CopyOptions, Progress } from './files/copy.ts'
export type { Checksum } from './files/checksum.ts'
export type { ExportOptions, ImportOptions } from './transfer/transfer.ts'
export type { Transferred } from './transfer/import.ts'
export type { Summary } from './files/names.ts'
export type { Difference } from './files/diff.ts'
export type { QuotaBounds } from './files/quotas.ts'
export type { Quota } from '../src/protocol/quota.ts'
export type { Snapshot } from '../src/protocol/snapshot.ts'
export type { Version, VersionDetail } from '../src/protocol/version.ts'
export type { CatalogTable, TableSummary } from '../src/protocol/table.ts'
export type { TrashItem } from '../src/protocol/trash.ts'
export type { FileStatus, LocatedBlock } from '../src/protocol/namespace.ts'
export type { JobStatus, QueueList, QueueStatus, StageStatus, TaskStatus } from '../src/protocol/job.ts'
export type { ClusterStatus } from '../src/protocol/admin.ts'
export type { ServerLogLine, ServerLogOptions } from './service/servers.ts'
export type { ServerSetting, ServerState } from '../src/protocol/server.ts'
export type { LogLevel } from '../src/ports/log.ts'
export type { RecordFormat } from '../src/base/formats.ts'

export interface OpenOptions {
  /** User that calls are made as; default: the user of the operating system. */
  readonly user?: string | undefined
  /** This machine's name as the cluster's datanodes know it. */
  readonly hostName?: string | undefined
  /** Level of log lines (JSON); default: no log. */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent' | undefined
  /** File for log lines; default: stderr. */
  readonly logFile?: string | undefined
  /** Aborts the opening. */
  readonly signal?: AbortSignal | undefined
}

export interface EmbeddedOptions extends OpenOptions {
  /** Default maximum size of blocks; default: 128 MiB. */
  readonly blockSize?: number | undefined
  /** Number of tasks that run at the same time; default: the number of processor cores. */
  readonly slots?: number | undefined
}

export interface ConnectOptions extends OpenOptions {
  /** Address of the namenode: `host:port`, `gristmill://host:port`. */
  readonly address: string
  /** The cluster's secret; alternatively, a file that contains it. */
  readonly secret?: string | Uint8Array | undefined
  /** Default: `GRISTMILL_SECRET_FILE`, the file of `gristmill up`, or `~/.gristmill/secret`. */
  readonly secretFile?: string | undefined
}

/**
 * Opens the embedded cluster in `dir`: namenode and datanode run inside this process, or in the process that opened it first; its
 * data stays in `dir`. Without `dir`, opens the cluster that the command line would use: `GRISTMILL_CLUSTER`, the one that
 * `gristmill up` created in the home (UNAVAILABLE while it does not run), or else the embedded one of this user.
 *
 * The caller closes it, by `await using` or `close()`: a process with an open embedded cluster does not end, because its servers may be in
 * use by other processes.
 *
 *     await using mill = await open()
 *     await mill.writeFile('/hello.txt', 'hello\n')
 */
export async function open(dir?: string, options: EmbeddedOptions = {}): Promise<Mill> {
  const { world, machine, settings } = await surroundings(options)
  const { openEmbedded, openMeant } = await import('./embedded/open.ts')
  const parts = { world, machine, settings, signal: options.signal }
  if (dir === undefined) return openMeant(parts)
  const { resolve } = await import('node:path')
  return openEmbedded(parts, resolve(machine.workingDirectory, dir))
}

/**
 * Connects to a cluster by its namenode's address. Throws UNAVAILABLE if no server answers there, UNAUTHENTICATED if the secret is
 * wrong, CONFIG_INVALID if there is no secret or the server is no namenode. The caller closes it, by `await using` or `close()`.
 *
 *     await using mill = await connect('gristmill://namenode:8620')
 */
export async function connect(to: string | ConnectOptions, options: OpenOptions = {}): Promise<Mill> {
  const wanted: ConnectOptions = typeof to === 'string' ? { ...options, address: to } : { ...options, ...to }
  const { world, machine, settings } = await surroundings(wanted)
  const [{ openCluster, openPlace }, { locate, parseAddress }] = await Promise.all([
    import('./embedded/open.ts'), import('./discovery/locate.ts'),
  ])
  const parts = { world, machine, settings, signal: wanted.signal }
  if (wanted.secret !== undefined) {
    const namenode: Address = parseAddress(wanted.address)
    const secret = typeof wanted.secret === 'string' ? Buffer.from(wanted.secret.trim()) : wanted.secret
    return openCluster(parts, namenode, { secret })
  }
  return openPlace(
    parts,
    await locate(
      { disk: world.disk, machine },
      { ...settings, cluster: parseAddress(wanted.address), secretFile: wanted.secretFile ?? settings.secretFile },
    ),
  )
}

async function surroundings(
  options: OpenOptions & Pick<EmbeddedOptions, 'blockSize' | 'slots'>,
): Promise<{ world: World; machine: Machine; settings: Settings }> {
  const [{ realWorld }, { localMachine: machine }, { localDisk: disk }, { readSettings }] = await Promise.all([
    import('../src/world/world.ts'), import('../src/world/machine.ts'), import('../src/world/disk.ts'),
    import('./discovery/readsettings.ts'),
  ])
  const { user, hostName, logLevel, logFile, blockSize, slots } = options
  const settings = await readSettings({ disk, machine }, { user, hostName, logLevel, logFile, blockSize, slots })
  return { world: realWorld({ name: 'client', logLevel: settings.logLevel ?? 'silent', logFile: settings.logFile }), machine, settings }
}
