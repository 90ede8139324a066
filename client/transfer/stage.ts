// Places outside of the cluster as tables of a query: a directory of the cluster, which belongs to the query and its user alone, has
// references to their files, or a copy of what they hold; it is removed when the query ends. A query that is killed leaves its directory,
// and a later one of the user removes it.
// INVARIANT: what is read is one state of its place: pinned files, or a table under one snapshot.

import { shownUrl } from '../../src/base/url.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { systemUser, type InodeId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { isWithin, join } from '../../src/base/paths.ts'
import { showText } from '../../src/base/quote.ts'
import { referencesName, stagesDirectory, stagesMode } from '../../src/base/reference.ts'
import { isPostgres, tableAddressOf } from '../../src/connector/postgres/names.ts'
import { placeName } from '../../src/connector/place.ts'
import { PostgresTable, type PostgresColumn } from '../../src/connector/postgres/source.ts'
import { isKafka } from '../../src/connector/kafka/address.ts'
import { lineColumns } from '../../src/connector/kafka/line.ts'
import { isPrefix, locationOf, nameOfUrl } from '../../src/connector/location.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { OpenPostgres } from '../../src/ports/postgres.ts'
import { list, mkdir, remove, setAttributes, stat } from '../../src/protocol/namespace.ts'
import type { InputPin } from '../../src/protocol/job.ts'
import { show } from '../../src/protocol/version.ts'
import { set } from '../../src/protocol/xattr.ts'
import type { CallMessage } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'
import { sourceAttribute } from '../files/outsidecopy.ts'
import { noteArrived, noteComputed } from '../files/sentto.ts'
import { isPattern } from '../glob/expand.ts'
import { everything } from '../jobs/pins.ts'
import { importFiles, type ImportDeps } from './import.ts'
import { checkTopicAddress } from './kafka.ts'

/** Copies of this age belong to no query any more: one that lives renews the time of its own. */
const leftMs = 7 * 24 * 3_600_000
const renewMs = 24 * 3_600_000

export interface StageDeps {
  readonly ask: CallMessage
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly random: { id(): string }
}

/** A directory of one query. */
interface PlaceCopy {
  readonly path: string
  /** Removes it. Never throws: what is left is removed later. */
  drop(): Promise<void>
}

/**
 * Makes a directory that only the user can read, and removes those that earlier queries of the user have left. It carries the name of the
 * place, by which the lineage of what is computed from the copy names it.
 */
export async function newStage({ ask, clock, random }: StageDeps, url: string, signal: AbortSignal | undefined): Promise<PlaceCopy> {
  const above = await ask(mkdir, { path: stagesDirectory, parents: true, mode: stagesMode }, signal)
  const path = join(stagesDirectory, random.id())
  const { owner } = await ask(mkdir, { path, mode: 0o700 }, signal)
  // The owner of a directory renames what is in it, and others do without the sticky bit: then what is made by its path may be theirs.
  if ((above.owner !== systemUser && above.owner !== owner) || (above.mode & 0o1000) === 0) {
    await dropped(ask, path)
    throw new GristmillError(
      'EACCES',
      `${stagesDirectory} belongs to ${showText(above.owner)} and has mode ${above.mode.toString(8)}, so that others could replace what a `
      + `query keeps there; the superuser has to remove it (gristmill rm -r ${stagesDirectory}), and the next query makes it anew`,
    )
  }
  const value = Buffer.from(placeName(url).shown.slice(0, limits.pathBytesMax / 4)).toString('base64')
  await ask(set, { path, name: sourceAttribute, value }, signal)
  const old: string[] = []
  const pages = paged((after?: string) => ask(list, { path: stagesDirectory, ...after !== undefined && { after } }, signal))
  for await (const { entries } of pages)
    for (const each of entries) if (each.owner === owner && each.mtimeMs < clock.now() - leftMs) old.push(each.path)
  for (const each of old) await dropped(ask, each)
  const cancel = renewing({ ask, clock }, path)
  return { path, drop: async () => {
    cancel()
    await dropped(ask, path)
  } }
}

/** A job may take longer than a directory that was left is kept. Returns what ends it. */
function renewing({ ask, clock }: Pick<StageDeps, 'ask' | 'clock'>, path: string): () => void {
  let cancel = (): void => {}
  const wait = (): void => {
    cancel = clock.after(renewMs, () => {
      wait()
      void ask(setAttributes, { path, mtimeMs: clock.now() }).catch(() => undefined)
    })
  }
  wait()
  return () => cancel()
}

async function dropped(ask: CallMessage, path: string): Promise<void> {
  await ask(remove, { path, recursive: true, skipTrash: true }, undefined).catch(() => undefined)
}

/** A place that was copied. */
export interface StagedTable extends PlaceCopy {
  /** Columns of a table of PostgreSQL, which is JSON lines of texts, and of a topic without messages. */
  readonly columns?: readonly PostgresColumn[]
}

type ImportPlace = (url: string, path: string, signal: AbortSignal | undefined) => Promise<{ readonly bytes: number }>

interface ReadDeps extends StageDeps {
  readonly importing: ImportDeps
  readonly openPostgres: OpenPostgres
  /** Copies a file, or the objects below a prefix, to a path that ends with `/`. */
  readonly importFile: ImportPlace
  /** Makes references below a directory to the files of a place; undefined: its files cannot be read from the middle. */
  readonly refer: (url: string, directory: string, signal: AbortSignal | undefined) => Promise<{ readonly path: string } | undefined>
}

interface WriteDeps extends StageDeps {
  /** Moves the files of a directory to the place. */
  readonly exportFiles: (path: string) => Promise<{ readonly files: number }>
}

/** `note`: see `Transferred`. */
interface Arrived { readonly files: number; readonly note?: string }

/** Has `make` publish files at the path that it gets, and moves them to a place outside of the cluster. */
export async function writePlace(
  deps: WriteDeps, url: string, make: (path: string) => Promise<void>, signal: AbortSignal | undefined,
): Promise<Arrived> {
  checkPlace(url)
  const stage = await newStage(deps, url, signal)
  try {
    const path = join(stage.path, 'rows')
    await make(path)
    const { files } = await deps.exportFiles(path)
    const note = await noteArrived(url, () => noteInputs(deps, path, url))
    return { files, ...note !== undefined && { note } }
  } finally {
    await stage.drop()
  }
}

/** Notes the place at the inputs of the job that has published the rows: they go, and all that is known of them. */
async function noteInputs(deps: StageDeps, path: string, url: string): Promise<void> {
  const { ask } = deps
  const { version: { job }, made: { name, origin } } = await ask(show, { path })
  if (job === undefined) return
  for (const pin of origin?.pins ?? [])
    for (const state of await statesOf(ask, pin)) await noteComputed(deps, state, { url, job, name })
}

/** Outputs and files at which the place of an input is noted. Of a pattern it is noted at its files, as far as the pin lists them. */
async function statesOf(ask: CallMessage, { path, outputs = [], outside, list: files = [] }: InputPin): Promise<readonly State[]> {
  if (outside !== undefined) return []
  if (path === everything || isPattern(path)) {
    const plain = files.filter(file => !outputs.some(output => isWithin(file.path, output.path)))
    return [...outputs, ...plain.map(file => ({ path: file.path, id: file.id }))]
  }
  if (outputs.length > 0) return outputs
  const state = await stated(ask, path)
  return state ? [state] : []
}

interface State { readonly path: string; readonly id: InodeId; readonly version?: number }

async function stated(ask: CallMessage, path: string): Promise<State | undefined> {
  try {
    return { path, id: (await ask(stat, { path })).id }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined
    throw error
  }
}

/** Throws EINVAL for an address with a password or a signature in it: the text of a query is kept with its job. */
export async function stageTable(deps: ReadDeps, url: string, signal: AbortSignal | undefined): Promise<StagedTable> {
  if (isKafka(url)) {
    return staged(deps, url, signal, async stage => {
      const path = join(stage.path, 'rows.jsonl')
      const { bytes } = await deps.importFile(url, path, signal)
      return { path, ...bytes === 0 && { columns: lineColumns } }
    })
  }
  if (!isPostgres(url)) return stageFiles(deps, url, signal)
  return staged(deps, url, signal, stage => copyTable(deps, url, stage, signal))
}

/** The same for files, which are read where they are; of a table of PostgreSQL, and of a topic of Kafka, a copy in JSON lines. */
export function stageFiles(
  deps: StageDeps & Pick<ReadDeps, 'importFile' | 'refer'>, url: string, signal: AbortSignal | undefined,
): Promise<StagedTable> {
  return staged(deps, url, signal, async stage => {
    const referred = isPostgres(url) || isKafka(url) ? undefined : await deps.refer(url, join(stage.path, referencesName), signal)
    if (referred) return referred
    // Some may have been made before the first file that cannot have one: they would be read beside the copies.
    await dropped(deps.ask, join(stage.path, referencesName))
    const location = isPostgres(url) || isKafka(url) ? undefined : locationOf(url)
    const isTree = location !== undefined && isPrefix(location)
    const name = !location ? 'rows.jsonl' : location.kind === 's3' ? location.key.split('/').at(-1)! : nameOfUrl(location.url)
    const path = isTree ? stage.path : join(stage.path, name ?? 'file')
    await deps.importFile(url, isTree ? `${path}/` : path, signal)
    return { path }
  })
}

async function staged(
  deps: StageDeps, url: string, signal: AbortSignal | undefined, copy: (stage: PlaceCopy) => Promise<Omit<StagedTable, 'drop'>>,
): Promise<StagedTable> {
  checkPlace(url)
  const stage = await newStage(deps, url, signal)
  try {
    return { ...stage, ...await copy(stage) }
  } catch (error) {
    await stage.drop()
    throw error
  }
}

async function copyTable(
  { importing, openPostgres: open }: ReadDeps, url: string, stage: PlaceCopy, signal: AbortSignal | undefined,
): Promise<Pick<StagedTable, 'path'> & Required<Pick<StagedTable, 'columns'>>> {
  const source = new PostgresTable({ open }, tableAddressOf(url), { isText: true })
  const path = join(stage.path, 'rows.jsonl')
  await importFiles(importing, {
    source, path, isTree: false, overwrite: false, parallel: sessions, sums: [], format: 'jsonl', signal,
  })
  return { path, columns: source.columns }
}

/** Sessions that read a table at a time, beside the one that holds the snapshot. */
const sessions = 4

/** Throws EINVAL. */
export function checkPlace(url: string): void {
  const refused = (what: string, instead: string): GristmillError => new GristmillError(
    'EINVAL', `${shownUrl(url)} is given with ${what}, and the text of a query or program is kept with its job; ${instead}`,
  )
  if (isKafka(url)) return checkTopicAddress(url)
  if (isPostgres(url)) {
    if (tableAddressOf(url).server.password !== undefined) throw refused('a password', 'set PGPASSWORD, or put it into ~/.pgpass')
    return
  }
  const location = locationOf(url)
  if (location.kind !== 'http') return
  const { username, password, search } = new URL(location.url)
  if (username + password !== '') throw refused('a user or password', 'copy the file with gristmill import, and read the copy')
  if (search !== '') throw refused('what may be a signature (?…)', 'copy the file with gristmill import, and read the copy')
}

