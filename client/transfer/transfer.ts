// Import and export for the library: reads options, and opens the source or the sink that an address names.

import { shownUrl } from '../../src/base/url.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { RecordFormat } from '../../src/base/formats.ts'
import { join, normalise } from '../../src/base/paths.ts'
import { parseChecksum } from '../../src/connector/checksum.ts'
import type { AskDeps } from '../../src/connector/ask.ts'
import type { OutsideFiles } from '../../src/connector/connector.ts'
import { HttpFile } from '../../src/connector/http/http.ts'
import { isKafka, topicAddressOf } from '../../src/connector/kafka/address.ts'
import { isPrefix, locationOf, nameOfUrl } from '../../src/connector/location.ts'
import { isPostgres, tableAddressOf } from '../../src/connector/postgres/names.ts'
import { checkMode, loadModes, PostgresRows, type LoadMode } from '../../src/connector/postgres/sink.ts'
import { PostgresTable } from '../../src/connector/postgres/source.ts'
import { findAccess, type S3Access, type S3Options } from '../../src/connector/s3/access.ts'
import { S3Client } from '../../src/connector/s3/client.ts'
import { S3Files } from '../../src/connector/s3/sink.ts'
import { S3Objects } from '../../src/connector/s3/source.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { HttpFetch } from '../../src/ports/httpfetch.ts'
import type { LoadAvro } from '../../src/ports/avro.ts'
import type { OpenKafka } from '../../src/ports/kafka.ts'
import type { OpenPostgres } from '../../src/ports/postgres.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { flagsOf, optionsOf, shown, textOf, type CallOptions } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import type { CallMessage } from '../call/cluster.ts'
import { noteArrived, noteExport } from '../files/sentto.ts'
import { createOptions } from '../files/write.ts'
import { exportFiles, exportRows, type ExportDeps } from './export.ts'
import { importFiles, type ImportDeps, type Transferred } from './import.ts'
import {
  checkTopicReading, checkTopicWriting, topicSink, topicSource, withReadOptions, withWriteOptions, type TopicReadOptions,
  type TopicWriteOptions,
} from './kafka.ts'

interface TransferOptions extends S3Options, CallOptions {
  /** Replaces what is at the destination; default: false. */
  readonly overwrite?: boolean | undefined
  /** Requests (of one file) or files at a time; default: 4. */
  readonly parallel?: number | undefined
  /** Called as bytes are moved, with their number so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined
}

export interface ImportOptions extends TransferOptions, TopicReadOptions {
  /** Checksum of the one file: `sha256:`, `sha1:`, `md5:` or `crc32c:` and its digits. */
  readonly checksum?: string | undefined
  readonly format?: RecordFormat | undefined
  readonly delimiter?: string | undefined
  readonly replication?: number | undefined
  readonly blockSize?: number | undefined
}

export interface ExportOptions extends TransferOptions, TopicWriteOptions {
  /** Way of rows into a table of PostgreSQL; default: swap. */
  readonly mode?: LoadMode | undefined
  /** Columns of the key of an upsert, or of messages of Kafka. */
  readonly key?: readonly string[] | undefined
}

const parallelMax = 64

const common = { endpoint: true, region: true, profile: true, overwrite: true, parallel: true, onProgress: true, signal: true } as const

/** Throws EINVAL. */
export function readImportOptions(given: ImportOptions | null | undefined): ImportOptions {
  const options = optionsOf<ImportOptions>(given, 'import', {
    ...common, checksum: true, format: true, delimiter: true, replication: true, blockSize: true, from: true, to: true, value: true,
    key: true, bad: true, registry: true,
  })
  const { format, delimiter, replication, blockSize, checksum } = options
  createOptions({ format, delimiter, replication, blockSize })
  if (checksum !== undefined) parseChecksum(textOf(checksum, 'checksum', { max: 200 }))
  for (const name of ['from', 'to', 'value', 'key', 'bad'] as const)
    if (options[name] !== undefined) textOf(options[name], name, { max: 10_000 })
  return checkCommon(options)
}

/** Throws EINVAL. */
export function readExportOptions(given: ExportOptions | null | undefined): ExportOptions {
  const options = optionsOf<ExportOptions>(given, 'export', {
    ...common, mode: true, key: true, value: true, registry: true, rate: true, create: true, compression: true,
  })
  const { mode, key, value, rate, create, compression } = options
  if (mode !== undefined && !loadModes.includes(mode))
    throw new GristmillError('EINVAL', `mode is one of ${loadModes.join(', ')}, and not ${shown(mode)}`)
  if (key !== undefined && !(Array.isArray(key) && key.length > 0 && key.every(name => typeof name === 'string' && name !== '')))
    throw new GristmillError('EINVAL', 'key is a list of names of columns')
  if (value !== undefined) textOf(value, 'value', { max: 100 })
  if (compression !== undefined) textOf(compression, 'compression', { max: 100 })
  checkInteger('rate', rate, 1)
  checkInteger('number of partitions', create, 1)
  return checkCommon(options)
}

function checkCommon<O extends TransferOptions & { readonly registry?: string | undefined }>(options: O): O {
  flagsOf(options, 'overwrite')
  checkInteger('number of requests at a time', options.parallel, 1, parallelMax)
  for (const name of ['endpoint', 'region', 'profile', 'registry'] as const)
    if (options[name] !== undefined) textOf(options[name], name, { max: 1000 })
  if (options.onProgress !== undefined && typeof options.onProgress !== 'function')
    throw new GristmillError('EINVAL', 'onProgress is a function')
  return options
}

export interface OutsideDeps extends Omit<AskDeps, 'fetch'> {
  readonly httpFetch?: HttpFetch | undefined
  readonly openPostgres?: OpenPostgres | undefined
  readonly openKafka?: OpenKafka | undefined
  readonly loadAvro?: LoadAvro | undefined
  readonly disk: Disk
  readonly machine?: Pick<Machine, 'environment' | 'userDirectory'> | undefined
}

const textBytesMax = 1024 * 1024

/** Undefined: there is no such file. */
const textFileOf = ({ disk }: Pick<OutsideDeps, 'disk'>) => async (path: string): Promise<string | undefined> => {
  const found = await disk.stat(path, { follow: true })
  return found?.kind === 'file' && found.bytes <= textBytesMax ? (await disk.readFile(found.path ?? path)).toString('utf8') : undefined
}

/** Throws UNAUTHENTICATED without a key of S3. */
async function accessOf(deps: OutsideDeps, options: S3Options): Promise<S3Access> {
  const { machine } = deps
  const places = { env: machine?.environment ?? {}, userDirectory: machine?.userDirectory ?? '/', readText: textFileOf(deps) }
  return findAccess(places, options)
}

const clientOf = async (deps: OutsideDeps, asking: AskDeps, bucket: string, options: S3Options): Promise<S3Client> =>
  new S3Client(asking, await accessOf(deps, options), bucket)

/** A file of a web server, or objects of S3. `access`: of the service of S3. */
export interface OutsideTree { readonly source: OutsideFiles; readonly isTree: boolean; readonly access?: S3Access }

/** Throws EINVAL, and UNAUTHENTICATED without a key of S3. */
export async function treeOf(deps: OutsideDeps, url: string, options: S3Options = {}): Promise<OutsideTree> {
  const asking = askDeps(deps)
  const location = locationOf(url)
  if (location.kind === 'http') return { source: new HttpFile(asking, location.url), isTree: false }
  const access = await accessOf(deps, options)
  return { source: new S3Objects(new S3Client(asking, access, location.bucket), location.key), isTree: isPrefix(location), access }
}

function askDeps({ httpFetch: fetch, clock, random }: OutsideDeps): AskDeps {
  if (!fetch) throw new GristmillError('CONFIG_INVALID', 'this process reaches nothing outside of the cluster')
  return { fetch, clock, random }
}

function openOf({ openPostgres }: OutsideDeps): { open: OpenPostgres } {
  if (!openPostgres) throw new GristmillError('CONFIG_INVALID', 'this process reaches nothing outside of the cluster')
  return { open: openPostgres }
}

function kafkaOf(deps: OutsideDeps): Parameters<typeof topicSource>[0] {
  const { openKafka, loadAvro, machine } = deps
  if (!openKafka || !loadAvro) throw new GristmillError('CONFIG_INVALID', 'this process reaches nothing outside of the cluster')
  return { asking: askDeps(deps), openKafka, loadAvro, env: machine?.environment ?? {}, readText: textFileOf(deps) }
}

/** Options of an export that only topics have. */
const ofTopics = ['value', 'registry', 'create', 'compression'] as const

/** Throws EINVAL for options of topics with another address. */
function checkNoTopic(options: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  const given = names.find(name => options[name] !== undefined)
  const or = given === 'rate' ? ', or to a table of PostgreSQL' : ''
  if (given !== undefined) throw new GristmillError('EINVAL', `the option ${given} belongs to a topic of Kafka${or}`)
}

export async function importFrom(
  deps: OutsideDeps & Pick<ImportDeps, 'objects'>, url: string, path: string, options: ImportOptions,
): Promise<Transferred> {
  const asking = askDeps(deps)
  const { checksum, overwrite = false, parallel = 4 } = options
  const sums = checksum === undefined ? [] : [parseChecksum(checksum)]
  const importing = { ...options, path: inDirectory(url, path), overwrite, parallel, sums }
  if (isKafka(url)) {
    const asked = withReadOptions(url, options)
    checkTopicReading(asked)
    if (/\.(?:csv|tsv|parquet)$/i.test(importing.path))
      throw new GristmillError('EINVAL', `${importing.path}: a topic becomes JSON lines; give the file a name that ends with .jsonl`)
    const source = await topicSource(kafkaOf(deps), asked, options.signal)
    return importFiles({ ...asking, objects: deps.objects }, { ...importing, format: 'jsonl', source, isTree: false })
  }
  checkNoTopic({ ...options }, ['from', 'to', 'value', 'key', 'bad', 'registry'])
  if (isPostgres(url)) {
    const source = new PostgresTable(openOf(deps), tableAddressOf(url))
    if (/\.(?:csv|tsv|parquet)$/i.test(importing.path))
      throw new GristmillError('EINVAL', `${importing.path}: a table becomes JSON lines; give the file a name that ends with .jsonl`)
    return importFiles({ ...asking, objects: deps.objects }, { ...importing, format: 'jsonl', source, isTree: false })
  }
  if (checksum !== undefined && isPrefix(locationOf(url)))
    throw new GristmillError('EINVAL', 'a checksum belongs to one file, and the address names several')
  const { source, isTree } = await treeOf(deps, url, options)
  return importFiles({ ...asking, objects: deps.objects }, { ...importing, source, isTree })
}

/** Path of a file whose target ends with `/`: it keeps its name in this directory. Throws EINVAL. */
function inDirectory(url: string, path: string): string {
  if (!path.endsWith('/')) return path
  const location = isPostgres(url) || isKafka(url) ? undefined : locationOf(url)
  if (location && isPrefix(location)) return normalise(path)
  const name = !location ? `${isKafka(url) ? topicAddressOf(url).topic : tableAddressOf(url).table}.jsonl`
    : location.kind === 's3' ? location.key.split('/').at(-1) : nameOfUrl(location.url)
  if (name === undefined || name === '' || name.includes('/')) throw new GristmillError('EINVAL', `${shownUrl(url)} has no name that a file can have; write ${path}NAME`)
  return join(normalise(path), name)
}

/** Throws EINVAL for a place that takes no directory, and for options that it does not have. */
export function checkDestination(url: string, options: ExportOptions): void {
  const { mode, key } = options
  if (isKafka(url)) {
    if (mode !== undefined) throw new GristmillError('EINVAL', 'mode belongs to a table of PostgreSQL; rows are added to a topic of Kafka')
    return checkTopicWriting(withWriteOptions(url, options))
  }
  checkNoTopic({ ...options }, isPostgres(url) ? ofTopics : [...ofTopics, 'rate'])
  if (isPostgres(url)) {
    tableAddressOf(url)
    return checkMode(mode ?? 'swap', key)
  }
  const location = s3LocationOf(url, { mode, key })
  if (!isPrefix(location)) throw new GristmillError('EINVAL', `the rows go into files below a prefix; write ${shownUrl(url)}/`)
}

/** Throws EINVAL. */
function s3LocationOf(url: string, { mode, key }: Pick<ExportOptions, 'mode' | 'key'>) {
  const location = locationOf(url)
  if (location.kind !== 's3')
    throw new GristmillError('EINVAL', `${shownUrl(url)}: files are exported to s3://BUCKET/KEY; a web server has no way to take them`)
  if (mode !== undefined || key !== undefined) throw new GristmillError('EINVAL', 'mode and key belong to a table of PostgreSQL')
  return location
}

interface ExportToDeps extends OutsideDeps, ExportDeps {
  readonly ask: CallMessage
  readonly status: (path: string) => Promise<FileStatus>
}

interface ExportToOptions extends ExportOptions { readonly isOnce?: boolean }

/** Lineage names the place, unless the files were made for this export. */
export async function exportTo(deps: ExportToDeps, path: string, url: string, options: ExportToOptions): Promise<Transferred> {
  const from = await deps.status(path)
  const transferred = await exported(deps, from, url, options)
  const note = options.isOnce ? undefined : await noteArrived(url, () => noteExport(deps, from, url))
  return { ...transferred, ...note !== undefined && { note } }
}

async function exported(deps: ExportToDeps, from: FileStatus, url: string, options: ExportToOptions): Promise<Transferred> {
  const { overwrite = false, isOnce, parallel = 4, mode, key: columns, rate, onProgress, signal } = options
  const exporting = { overwrite, isOnce, parallel, onProgress, signal }
  // A directory of a job has _SUCCESS beside its rows.
  const takes = (name: string): boolean => !/(?:^|\/)[_.]/.test(name)
  if (isKafka(url)) {
    checkDestination(url, options)
    const sink = await topicSink(kafkaOf(deps), withWriteOptions(url, options), { cluster: deps.cluster, key: columns, signal })
    return exportRows(deps, { ...sink, from, takes, onProgress, signal })
  }
  checkNoTopic({ ...options }, isPostgres(url) ? ofTopics : [...ofTopics, 'rate'])
  if (isPostgres(url)) {
    const sink = new PostgresRows({ ...openOf(deps), clock: deps.clock }, tableAddressOf(url), { mode: mode ?? 'swap', key: columns, rate })
    return exportFiles(deps, { ...exporting, sink, from, takes })
  }
  const location = s3LocationOf(url, { mode, key: columns })
  const isTree = isPrefix(location)
  if (from.type === 'directory' && !isTree)
    throw new GristmillError('EINVAL', `${from.path} is a directory: its files go below a prefix; write ${shownUrl(url)}/`)
  // A file below a prefix keeps its name.
  const key = isTree && from.type === 'file' ? `${location.key}${from.path.split('/').at(-1)}` : location.key
  const sink = new S3Files(await clientOf(deps, askDeps(deps), location.bucket, options), key)
  return exportFiles(deps, { ...exporting, sink, from, as: key.split('/').at(-1) })
}
