// Two versions of a directory tree from a line for each entry, and their differences.

import { differences, type Difference } from '../../../../client/files/diff.ts'
import { inodeId } from '../../../../src/base/ids.ts'
import { join, parentOf } from '../../../../src/base/paths.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'

/** `path:id`, directories with a slash, `!` for another mode, `+` for a list whose text is the rest. */
function tree(top: string, ...entries: string[]): FileStatus[] {
  return entries.map(entry => {
    const [, path = '', slash, id = '', other, list] = /^(.*?)(\/?):(\d+)(!?)(\+.*)?$/.exec(entry)!
    return {
      path: join(top, path), id: inodeId(Number(id)), type: slash ? 'directory' : 'file', length: 0, replication: 1, blockBytes: 1,
      blocks: 0, format: 'bytes', owner: 'a', group: 'a', mode: other ? 0o700 : 0o644, mtimeMs: 0, ...list && { acl: true },
    }
  })
}

/** The tree itself has the id 0; `/:0`, with `!` or `+` behind it, gives it a mode or a list. */
export async function* differencesOf(before: readonly string[], after: readonly string[]): AsyncGenerator<Difference, void, undefined> {
  const isTop = (entry: string): boolean => entry.startsWith('/:')
  const names = [before, after].map(entries => entries.filter(entry => !isTop(entry)))
  const given = [before, after].map((entries, i) => `${['old', 'new'][i]!}${entries.find(isTop) ?? '/:0'}`)
  const tops = tree('/', ...given) as [FileStatus, FileStatus]
  const all = [...tree('/old', ...names[0]!), ...tree('/new', ...names[1]!)]
  const lists = new Map([...tops, ...all].map(({ path }, i) => [path, [...given, ...names.flat()][i]!.split('+')[1] ?? '']))
  yield* differences({
    tops, aclOf: async path => lists.get(path)!,
    async *list(path) {
      yield* all.filter(status => parentOf(status.path) === path).sort((a, b) => Buffer.from(a.path).compare(Buffer.from(b.path)))
    },
  })
}
