// Input paths as people give them, as the files that they mean: a file, a directory (everything below it), or a glob.
// Names that start with `_` or `.` are skipped below what was named, so that `_SUCCESS` of one job is no input of the next.
// A path or glob that means nothing is ENOENT; a directory without files means no files, and that is fine.

import picomatch from 'picomatch'
import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { nameOf, normalise } from '../../src/base/paths.ts'
import { list, stat, type FileStatus } from '../../src/protocol/namespace.ts'
import type { Ask } from './ask.ts'

/** The files of all `paths`, each once, in byte order of their paths. */
export async function findInputs(ask: Ask, paths: readonly string[], signal?: AbortSignal): Promise<FileStatus[]> {
  if (paths.length === 0) throw new GristmillError('EINVAL', 'a job needs at least one input path')
  const found = new Map<string, FileStatus>()
  for (const path of paths) {
    for await (const file of isGlob(path) ? matching(ask, path, signal) : named(ask, normalise(path), signal)) found.set(file.path, file)
  }
  return [...found.values()].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
}

const isGlob = (path: string): boolean => picomatch.scan(path).isGlob

const isHidden = (path: string): boolean => /^[_.]/.test(nameOf(path))

async function* named(ask: Ask, path: string, signal?: AbortSignal): AsyncIterable<FileStatus> {
  const status = await ask(stat, { path }, signal)
  if (status.type === 'file') yield status
  else yield* below(ask, path, signal)
}

async function* below(ask: Ask, directory: string, signal?: AbortSignal): AsyncIterable<FileStatus> {
  for await (const entry of entriesOf(ask, directory, signal)) {
    if (isHidden(entry.path)) continue
    if (entry.type === 'file') yield entry
    else yield* below(ask, entry.path, signal)
  }
}

async function* matching(ask: Ask, glob: string, signal?: AbortSignal): AsyncIterable<FileStatus> {
  const pattern = glob.startsWith('/') ? glob : `/${glob}`
  const { base } = picomatch.scan(pattern)
  const matches = picomatch(pattern)
  // Without `**` nothing deeper than the pattern itself can match.
  const depthMax = pattern.includes('**') ? Infinity : pattern.split('/').length
  let any = false
  for await (const file of walk(normalise(base || '/'))) { any = true; yield file }
  if (!any) throw new GristmillError('ENOENT', `no input matches ${glob}; look at "gristmill ls ${base || '/'}"`, { details: { path: glob } })

  async function* walk(directory: string): AsyncIterable<FileStatus> {
    for await (const entry of entriesOf(ask, directory, signal)) {
      if (isHidden(entry.path) && !nameOf(pattern).startsWith(nameOf(entry.path)[0]!)) continue
      if (matches(entry.path)) {
        if (entry.type === 'file') yield entry
        else { any = true; yield* below(ask, entry.path, signal) }
      } else if (entry.type === 'directory' && entry.path.split('/').length < depthMax) {
        yield* walk(entry.path)
      }
    }
  }
}

async function* entriesOf(ask: Ask, directory: string, signal?: AbortSignal): AsyncIterable<FileStatus> {
  let after: string | undefined
  do {
    const page = await ask(list, { path: directory, limit: limits.listPageMax, ...after !== undefined && { after } }, signal)
    yield* page.entries
    after = page.next
  } while (after !== undefined)
}
