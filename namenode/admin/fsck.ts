// Fsck: state of every file below a path, with its blocks and their known replicas. Paged; a page yields to other work in
// between, and the caller continues after the last name. Each page reads the tree and the replicas at that time.

import { hasCode } from '../../src/base/errors.ts'
import { join, nameOf, parentOf, systemDirectory } from '../../src/base/paths.ts'
import { splitVersion } from '../../src/base/version-path.ts'
import type { BlockHealth, CheckCounts, CheckedBlock, CheckedFile, FsckPage } from '../../src/protocol/safety.ts'
import type { BlockMap } from '../blocks/map.ts'
import { health } from '../blocks/health.ts'
import type { Actor } from '../journal/operation.ts'
import type { View } from '../journal/view.ts'
import { may, mayRead, maySearch } from '../namespace/access.ts'
import { contentOf, isIntact } from '../namespace/content.ts'
import { isInlined, type NameEntry } from '../namespace/entry.ts'
import { blocksOf, type Block } from '../namespace/file.ts'
import { childrenOf, find, type FoundName } from '../namespace/asof.ts'
import { snapshotsName } from '../namespace/reserved.ts'
import { child, objectShelfName, objectsName } from '../namespace/resolve.ts'
import { versionsOf } from '../versions/lookup.ts'

/** Names and chunks of blocks (256 each) per page, and between two turns of the event loop. */
const stepsMax = 2_000
const sliceSteps = 100
/** Blocks listed per page. */
const listedMax = 4_000

interface FsckTools {
  readonly view: View
  readonly map: BlockMap
  readonly isCorrupt: (block: Block['id']) => boolean
  readonly yield: () => Promise<void>
}

interface FsckRequest {
  readonly path: string
  readonly after?: { readonly path: string; readonly chunk?: number } | undefined
  readonly healthy?: boolean | undefined
  readonly locations?: boolean | undefined
}

interface Named extends FoundName { readonly path: string }

const shownHealth: Readonly<Record<number, BlockHealth>> = {
  [health.missing]: 'missing', [health.under]: 'under', [health.healthy]: 'healthy', [health.over]: 'over', [health.misplaced]: 'misplaced',
}

export const noCounts = (): CheckCounts => ({
  files: 0, directories: 0, blocks: 0, bytes: 0, replicas: 0, missing: 0, corrupt: 0, under: 0, over: 0, misplaced: 0, unread: 0,
})

/** Throws ENOENT, EACCES. Directories that the actor may not read are counted without their contents. */
export async function fsckPage(tools: FsckTools, actor: Actor, request: FsckRequest): Promise<FsckPage> {
  const { view } = tools
  const { path, after } = request
  const top: Named = { path, ...find(view, actor, path) }
  const counts = noCounts()
  const files: CheckedFile[] = []
  let steps = 0
  let listed = 0
  const step = async (): Promise<void> => { if (++steps % sliceSteps === 0) await tools.yield() }
  for (const named of below(view, actor, top, after)) {
    await step()
    if (named.entry.directory) {
      counts.directories++
      if (!readable(actor, named)) counts.unread++
      if (steps >= stepsMax) return { files, counts, next: { path: named.path } }
      continue
    }
    let chunk = after?.path === named.path ? after.chunk ?? 0 : 0
    const { id, length, replication, blocks } = named.entry
    const file: CheckedFile = {
      path: named.path, id, length, replication, blocks, continued: chunk > 0, found: [],
      ...isInlined(named.entry) && { inlined: inlinedHealth(view, named.entry) },
    }
    if (chunk === 0) {
      counts.files++
      counts.bytes += length
      if (file.inlined) counts.inlined = (counts.inlined ?? 0) + 1
      if (file.inlined === 'corrupt') counts.corrupt++
    }
    let more = false
    for (;;) {
      const [piece] = blocksOf(view, id, chunk)
      if (!piece) break
      for (const block of piece) {
        const checked = check(tools, block, request.locations ?? false, counts)
        if (request.healthy || checked.health !== 'healthy') file.found.push(checked)
      }
      chunk++
      await step()
      more = steps >= stepsMax || listed + file.found.length >= listedMax
      if (more) break
    }
    listed += file.found.length
    if (request.healthy || file.found.length > 0 || file.inlined === 'corrupt') files.push(file)
    if (more) return { files, counts, next: { path: named.path, chunk } }
    if (steps >= stepsMax) return { files, counts, next: { path: named.path, chunk: Math.max(1, chunk) } }
  }
  return { files, counts }
}

/** Compares the bytes of an inlined file with the checksum that its writer gave. The row's own checksum was compared when it was read. */
function inlinedHealth(view: View, { id, length }: NameEntry): 'healthy' | 'corrupt' {
  const content = contentOf(view, id)
  return content && content.bytes.length === length && isIntact(content) ? 'healthy' : 'corrupt'
}

function check({ map, isCorrupt }: FsckTools, { id, length }: Block, locations: boolean, counts: CheckCounts): CheckedBlock {
  const holders = map.holders(id)
  const leaving = holders.filter(({ service }) => service.state === 'decommissioning' || service.state === 'decommissioned').length
  const target = map.target(id)
  const counted = shownHealth[map.health(id) ?? health.missing] ?? 'missing'
  const shown = counted === 'missing' && isCorrupt(id) ? 'corrupt' : counted
  counts.blocks++
  counts.replicas += holders.length
  if (shown !== 'healthy') counts[shown]++
  return {
    block: id, length, health: shown, target, live: holders.length, ...leaving > 0 && { leaving },
    ...locations && { nodes: holders.map(({ node, address, rack }) => ({ node, address, rack })) },
  }
}

/** Entries at and below a name, parents first, after the position `after`; a file in which a page ended is returned again. */
function* below(view: View, actor: Actor, top: Named, after: FsckRequest['after']): Generator<Named> {
  if (!after) yield top
  else if (after.path === top.path && !top.entry.directory) {
    if (after.chunk !== undefined) yield top
    return
  }
  if (!top.entry.directory) return
  const rest = after && after.path !== top.path ? after.path.slice(top.path === '/' ? 1 : top.path.length + 1).split('/') : []
  yield* inside(view, actor, top, rest, after?.chunk !== undefined)
}

/** `rest`: names down to the end of the last page. That entry is skipped, except a file with more chunks (`again`). */
function* inside(view: View, actor: Actor, directory: Named, rest: readonly string[], again: boolean): Generator<Named> {
  if (!readable(actor, directory)) return
  const [begun, ...deeper] = rest
  let first = begun
  // Older versions of objects come before the names.
  if (begun === undefined || begun === snapshotsName) yield* olderObjects(view, actor, directory, deeper.slice(1), again)
  if (begun === snapshotsName) first = undefined
  else if (begun !== undefined) {
    const named = childNamed(view, actor, directory, begun)
    // The last page ended in an older version of an output, which may have been freed since: names continue after the output.
    const version = named && named.number === undefined ? undefined : splitVersion(begun)
    const output = version ? childNamed(view, actor, directory, version.name) : named
    if (version && output?.entry.directory) first = version.name
    if (named?.entry.directory) {
      yield* version && output ? insideVersion(view, actor, output, named, deeper, again) : inside(view, actor, named, deeper, again)
    } else if (named && deeper.length === 0 && again) yield named
    if (output) yield* olderVersions(view, actor, output, version && Number(version.version))
  }
  const system = nameOf(systemDirectory)
  // The system directory is not listed, but must be intact as well. It comes first.
  if (directory.path === '/' && first === undefined) {
    const named = childNamed(view, actor, directory, system)
    if (named) {
      yield named
      yield* inside(view, actor, named, [], false)
    }
  }
  for (let after = directory.path === '/' && first === system ? undefined : first; ;) {
    const page = [...take(childrenOf(view, directory, after), entriesMax)]
    for (const { name, entry } of page) {
      // In `.snapshot` each entry is resolved as of its snapshot, and older versions of objects have the rights of their directory.
      const named =
        directory.of === undefined && !directory.path.includes(`/${objectsName}`)
          ? { path: join(directory.path, name), entry, at: directory.at }
          : childNamed(view, actor, directory, name)
      if (!named) continue
      yield named
      if (named.entry.directory) yield* inside(view, actor, named, [], false)
      yield* olderVersions(view, actor, named)
    }
    after = page.at(-1)?.name
    if (page.length < entriesMax) return
  }
}

/** Older versions of the objects in a directory, by key; in a version of an output too, and in no snapshot. */
function* olderObjects(view: View, actor: Actor, directory: Named, rest: readonly string[], again: boolean): Generator<Named> {
  if (!child(view, directory.entry.id, objectShelfName)) return
  const shelf = childNamed(view, actor, directory, `${snapshotsName}/${objectsName}`)
  if (shelf) yield* inside(view, actor, shelf, rest, again)
}

/**
 * Older versions of an output with their contents, the newest first, below number `below`. A rollback gives a directory another number;
 * each number shows the directory as of its own time.
 */
function* olderVersions(view: View, actor: Actor, output: Named, below = Infinity): Generator<Named> {
  if (!output.entry.directory || output.at !== undefined || view.counters.versions === 0) return
  const seen = new Set<number>([output.entry.id])
  for (const { id, number: { number }, isHead } of versionsOf(view, output.entry)) {
    if (isHead) continue
    const known = seen.has(id)
    seen.add(id)
    if (number >= below) continue
    const named = childNamed(view, actor, { ...output, path: parentOf(output.path) }, `${nameOf(output.path)}@${number}`)
    // A name of this form hides the version.
    if (named?.number === undefined) continue
    if (!known) yield named
    yield* insideVersion(view, actor, output, named, [], false)
  }
}

/** The same as `inside`, without what the next newer number of the same directory shows too: it was named there. */
function* insideVersion(
  view: View, actor: Actor, output: Named, version: Named, rest: readonly string[], again: boolean,
): Generator<Named> {
  const newer = versionsOf(view, output.entry).filter(({ id, number }) => id === version.entry.id && number.number > version.number!).at(-1)
  const twins = newer && (newer.isHead ? output.path : `${output.path}@${newer.number.number}`)
  for (const named of inside(view, actor, version, rest, again)) {
    const twin = twins === undefined ? undefined : namedAt(view, actor, `${twins}${named.path.slice(version.path.length)}`)
    if (twin?.entry.id !== named.entry.id) yield named
  }
}

const readable = (actor: Actor, { entry }: Named): boolean => may(actor, entry, mayRead) && may(actor, entry, maySearch)

const childNamed = (view: View, actor: Actor, { path }: Named, name: string): Named | undefined => namedAt(view, actor, join(path, name))

function namedAt(view: View, actor: Actor, path: string): Named | undefined {
  try {
    return { path, ...find(view, actor, path) }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined
    throw error
  }
}

/** Entries read at once: no iterator of the store stays open across turns of the event loop. */
const entriesMax = 200
function* take<T>(items: Iterable<T>, max: number): Iterable<T> {
  let count = 0
  for (const item of items) {
    yield item
    if (++count === max) return
  }
}
