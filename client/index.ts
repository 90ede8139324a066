// The public API: what `import … from 'gristmill'` gives. Everything else in the package may change without notice.
// Loading it is cheap; what a cluster needs is loaded when one is opened.

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
export type { RunOptions } from './run.ts'
export type { FileHandle } from './files/handle.ts'
export type { Dirent, Stats } from './files/stats.ts'
export type { ReadStream, ReadStreamOptions } from './files/read.ts'
export type { FileData, WriteOptions, WriteStream, WriteStreamOptions } from './files/write.ts'
export type { Copied, CopyOptions, Progress } from './files/copy.ts'
export type { Checksum } from './files/checksum.ts'
export type { Summary } from './files/names.ts'
export type { Difference } from './files/diff.ts'
export type { QuotaBounds } from './files/quotas.ts'
export type { Quota } from '../src/protocol/quota.ts'
export type { Snapshot } from '../src/protocol/snapshot.ts'
export type { TrashItem } from '../src/protocol/trash.ts'
export type { FileStatus, LocatedBlock } from '../src/protocol/namespace.ts'
export type { JobStatus, StageStatus, TaskStatus } from '../src/protocol/job.ts'
export type { ClusterStatus } from '../src/protocol/admin.ts'
export type { RecordFormat } from '../src/protocol/fields.ts'

export interface OpenOptions {
  /** Whose name calls carry; the user of the operating system unless told. */
  readonly user?: string | undefined
  /** This machine's name as the cluster's datanodes have it. */
  readonly hostName?: string | undefined
  /** Log lines (JSON) about what goes on inside; none unless told. */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent' | undefined
  /** A file for them; stderr unless told. */
  readonly logFile?: string | undefined
  /** Gives up opening. */
  readonly signal?: AbortSignal | undefined
}

export interface EmbeddedOptions extends OpenOptions {
  /** Most bytes of a block of files whose writers do not say; 128 MiB unless told. */
  readonly blockSize?: number | undefined
  /** Tasks at a time; the number of processor cores unless told. */
  readonly slots?: number | undefined
}

export interface ConnectOptions extends OpenOptions {
  /** The namenode: `host:port`, `gristmill://host:port`. */
  readonly address: string
  /** The cluster's secret itself, or else a file that holds it. */
  readonly secret?: string | Uint8Array | undefined
  /** `GRISTMILL_SECRET_FILE`, the file that `gristmill up` has left, or `~/.gristmill/secret`, unless told. */
  readonly secretFile?: string | undefined
}

/**
 * Opens the embedded cluster in `dir`: namenode and datanode run inside this process, or in the one that opened it first, and
 * its data stays there. Without `dir`, opens the cluster that the command line would use: `GRISTMILL_CLUSTER`, the one that
 * `gristmill up` has made in the home (UNAVAILABLE while it does not run), or else the embedded one of this user.
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
 * Connects to a cluster by its namenode's address. Throws UNAVAILABLE if nobody answers there, UNAUTHENTICATED if the secret is
 * another one, CONFIG_INVALID if there is no secret or something else answers.
 *
 *     await using mill = await connect('gristmill://namenode:8620')
 */
export async function connect(to: string | ConnectOptions, options: OpenOptions = {}): Promise<Mill> {
  const wanted: ConnectOptions = typeof to === 'string' ? { ...options, address: to } : { ...options, ...to }
  const { world, machine, settings } = await surroundings(wanted)
  const [{ openCluster, openPlace }, { locate, parseAddress }] = await Promise.all([import('./embedded/open.ts'), import('./locate.ts')])
  const parts = { world, machine, settings, signal: wanted.signal }
  if (wanted.secret !== undefined) {
    const namenode: Address = parseAddress(wanted.address)
    return openCluster(parts, namenode, typeof wanted.secret === 'string' ? Buffer.from(wanted.secret.trim()) : wanted.secret)
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
    import('../src/world/world.ts'), import('../src/world/machine.ts'), import('../src/world/disk.ts'), import('./settings.ts'),
  ])
  const { user, hostName, logLevel, logFile, blockSize, slots } = options
  const settings = await readSettings({ disk, machine }, { user, hostName, logLevel, logFile, blockSize, slots })
  return { world: realWorld({ name: 'client', logLevel: settings.logLevel ?? 'silent', logFile: settings.logFile }), machine, settings }
}
