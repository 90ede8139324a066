// Writing of small files whole: one operation creates a file with its bytes, without a lease. The route takes many files in one call; each
// is an operation of its own with its own answer, and they become durable in one group of the journal.
// INVARIANT: bytes are compared with their checksum before they are journalled.

import { asError, GristmillError, isRefusal } from '../../src/base/errors.ts'
import type { RecordFormat } from '../../src/base/formats.ts'
import { inodeId, type LeaseId } from '../../src/base/ids.ts'
import type { FileContent } from '../../src/protocol/fields.ts'
import type { ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { Appearance, put as putMessage, SmallFile } from '../../src/protocol/writing.ts'
import { itemErrorOf } from '../../src/rpc/fault.ts'
import { partId } from '../../src/rpc/repeats.ts'
import { mutation, type UserOperation } from '../journal/operation.ts'
import { checkContent, putContent } from '../namespace/content.ts'
import { checkInstant, keepStatus, recallStatus, statusOf, type NameEntry } from '../namespace/entry.ts'
import { fileIn, fileInPlaceOf } from '../namespace/inherit.ts'
import { addFile, detach } from '../namespace/tree.ts'
import { rightsGiven } from './appearance.ts'
import { csvOf, type AnyFormat } from './csvfacts.ts'
import { endOther, newPlace } from './mutations.ts'

interface PutAsked extends UserOperation {
  readonly path: string
  readonly overwrite?: boolean | undefined
  readonly parents?: boolean | undefined
  readonly mode?: number | undefined
  /** Missing in operations of earlier versions. */
  readonly unmasked?: number | undefined
  /** Missing in operations of earlier versions. */
  readonly acl?: Appearance['acl']
  readonly replication: number
  readonly blockBytes: number
  readonly format?: RecordFormat | undefined
  readonly delimiter?: string | undefined
  /** Missing in operations of earlier versions. */
  readonly header?: boolean | undefined
  readonly anyFormat?: AnyFormat | undefined
  readonly mtimeMs?: number | undefined
  readonly content: FileContent
  /** Lease past its soft limit that this writer takes over. */
  readonly replace?: LeaseId | undefined
}

export const put = mutation<PutAsked, FileStatus>({
  kind: 'writing.put',
  keep: keepStatus,
  recall: recallStatus,
  mutate(draft, asked) {
    const { path, overwrite = false, parents, mode, unmasked, replication, blockBytes, format = 'bytes' } = asked
    const { delimiter, header, anyFormat, content, nowMs } = asked
    const mtime = Math.floor(asked.mtimeMs ?? nowMs)
    checkInstant(mtime)
    const { parent, name, entry } = newPlace(draft, { user: asked.user, root: asked.root }, { path, overwrite, parents, nowMs })
    endOther(draft, { parent: parent.entry.id, name, path }, asked.replace)
    if (entry) detach(draft, parent.entry.id, name, entry)
    const made: NameEntry = {
      id: inodeId(draft.take('nextInode')), directory: false,
      ...rightsGiven(asked, entry ? fileInPlaceOf(entry, mode) : fileIn(parent.entry, mode, unmasked)),
      owner: asked.user, group: parent.entry.group, mtimeMs: mtime,
      replication, blockBytes, format, ...csvOf({ format, delimiter, header, anyFormat }),
      length: Buffer.byteLength(content.data, 'base64'), blocks: 0,
    }
    addFile(draft, parent.entry.id, name, made)
    putContent(draft, made.id, content)
    return statusOf(path, made)
  },
})

type PutRequest = RequestOf<typeof putMessage>
type Outcome = ReplyOf<typeof putMessage>['files'][number]

/** A file of a call that writes many: its answer is kept under its number. */
interface Item { readonly number: number; readonly content: FileContent }

interface PutTools<T> {
  readonly inlineBytes: number
  /** Submits one file to the journal. */
  readonly submit: (file: T, requestId: PutRequest['requestId']) => Promise<FileStatus>
}

export const putAll = async (
  { requestId, files }: PutRequest, tools: PutTools<SmallFile>,
): Promise<ReplyOf<typeof putMessage>> => ({
  inlineBytes: tools.inlineBytes, files: await putEach({ requestId, files: files.map(file => [file.path, file]) }, tools),
})

/** Each file has its own outcome. Throws what concerns the namenode, not a file: the caller repeats the call and gets the first answers. */
export async function putEach<T extends Item>(
  { requestId: asked, files }: { readonly requestId: PutRequest['requestId']; readonly files: ReadonlyArray<readonly [path: string, T]> },
  { inlineBytes, submit }: PutTools<T>,
): Promise<Outcome[]> {
  if (new Set(files.map(([, { number }]) => number)).size < files.length)
    throw new GristmillError('EINVAL', 'two files of one call have the same number')
  const results = await Promise.all(files.map(async ([path, file]): Promise<Outcome | { failed: GristmillError }> => {
    try {
      if (checkContent(file.content, path) > inlineBytes) return { inBlocks: true }
      return { status: await submit(file, partId(asked, file.number)) }
    } catch (thrown) {
      const error = asError(thrown)
      // Other errors concern the namenode, and the call may be repeated after them.
      return isRefusal(error) ? { error: itemErrorOf(error) } : { failed: error }
    }
  }))
  return results.map(result => {
    if ('failed' in result) throw result.failed
    return result
  })
}
