// Messages about objects, client → namenode: files below a directory, the bucket, under keys (objectkey.ts), with attributes that appear
// together with the file. An object is written under a name of its own in the directory of uploads, and published from there: writers of
// the same key do not wait for each other, and the last one wins. Parts of a multipart upload are joined without moving their bytes.

import Type, { type Static } from './schema.ts'
import { limits } from '../base/limits.ts'
import { systemDirectory } from '../base/paths.ts'
import { count, fileContent, inodeId, instant, itemError, leaseId, path, requestId, text } from './fields.ts'
import { message } from './message.ts'
import { fileStatus } from './namespace.ts'
import { sealedBlock, smallFileOutcome } from './writing.ts'
import { attribute } from './xattr.ts'

/** Directory in which objects are written before they are published. */
export const uploadsDirectory = `${systemDirectory}/uploads`

const attributeNames = Type.Array(Type.String({ minLength: 1, maxLength: limits.nameBytesMax }), { maxItems: 10 })
const attributes = Type.Array(attribute, { maxItems: 10 })

/** Id of a version of an object: of the file under its key, or of an older one. */
const version = Type.String({ minLength: 1, maxLength: 40 })

/** Status of a file that was stored; `objectVersion`: its id in a bucket with versioning. */
const storedStatus = Type.Object({ ...fileStatus.properties, objectVersion: Type.Optional(version) })
export type StoredStatus = Static<typeof storedStatus>

/** State of the path that the caller has seen, checked in the transaction. EEXIST, or ESTALE for another file. */
const expect = Type.Union([Type.Object({ absent: Type.Literal(true) }), Type.Object({ id: inodeId })])
export type Expected = Static<typeof expect>

/** Status of a path with these attributes, in one call. ENOENT, ENOTDIR, EACCES. */
export const get = message('object.get', {
  callers: 'user',
  auditRead: ({ path }) => ({ path }),
  request: Type.Object({ path, attributes: attributeNames }),
  reply: Type.Object({ status: fileStatus, attributes: Type.Array(attribute), 
    /** Set for a directory: whether it is a key, as in `object.list`. */
    isKey: Type.Optional(Type.Boolean()),
  }),
})

const readObject = Type.Object({
  status: Type.Optional(fileStatus), attributes: Type.Optional(Type.Array(attribute)), isKey: Type.Optional(Type.Boolean()),
  /** Bytes of an inlined file, if they were asked for. */
  content: Type.Optional(fileContent),
  /** In place of the status. */
  error: Type.Optional(itemError),
})

/**
 * As `object.get`, many in one call, with the bytes of inlined files. The reply has an entry for each of the first objects, and ends early
 * when it has enough bytes: the caller asks again for the others.
 */
export const read = message('object.read', {
  callers: 'user',
  auditRead: ({ objects }) => ({ paths: objects.map(({ path: named }) => named) }),
  request: Type.Object({
    objects: Type.Array(Type.Object({ path, attributes: attributeNames, content: Type.Optional(Type.Boolean()) }),
      { minItems: 1, maxItems: limits.contentsFilesMax }),
  }),
  reply: Type.Object({ objects: Type.Array(readObject) }),
})

const listed = Type.Object({
  key: text(2 * limits.pathBytesMax),
  /** A common prefix; its status is that of a directory. */
  rolled: Type.Optional(Type.Literal(true)),
  /** Absent for a prefix that is no directory. */
  status: Type.Optional(fileStatus),
  attributes: Type.Optional(Type.Array(attribute)),
})

/**
 * Keys below a directory in byte order, after `after`. With a delimiter, keys that have it behind the prefix are rolled up into common
 * prefixes. An empty directory, and one that has one of the attributes, is the key of its name with a slash at the end.
 */
export const list = message('object.list', {
  callers: 'user',
  auditRead: ({ path, prefix }) => ({ path, prefix }),
  request: Type.Object({
    path, prefix: text(2 * limits.pathBytesMax), delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    after: Type.Optional(text(2 * limits.pathBytesMax)),
    limit: Type.Integer({ minimum: 1, maximum: limits.listPageMax }), attributes: attributeNames,
  }),
  /** `next`: more keys may follow; `after` of the next call. */
  reply: Type.Object({ entries: Type.Array(listed), next: Type.Optional(text(2 * limits.pathBytesMax)) }),
})

/** Creates the directory of uploads, if it is missing. */
export const prepare = message('object.prepare', {
  callers: 'user', unaudited: 'the same for all users, and without a name that a user gives',
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId }),
  reply: Type.Object({}),
})

/**
 * Begins an upload: a directory of its own name in the directory of uploads, with attributes, that only its user may use. EEXIST; EACCES,
 * ENOTDIR, EISDIR, ENOENT, EDQUOT if the user could not write at the target now.
 */
export const begin = message('object.begin', {
  callers: 'user',
  audit: ({ upload, to }) => ({ path: to ?? upload, upload }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({
    requestId, upload: path, attributes,
    /** Path at which the caller will publish. */
    to: Type.Optional(path),
    /** Directory above the target that must exist. */
    base: Type.Optional(path),
  }),
  reply: Type.Object({}),
})

/**
 * Makes a directory, and those above it, or finds it, and gives it these attributes in place of the named ones, in one operation. EEXIST,
 * ENOTDIR if a file is in the way, EACCES if the directory is there and the caller may not write to it.
 */
export const directory = message('object.directory', {
  callers: 'user',
  audit: ({ path }) => ({ path }),
  mutation: true, paths: 'checked',
  request: Type.Object({ requestId, path, base: Type.Optional(path), attributes, replaces: attributeNames,
    /** State of the key that the caller has seen; the named attributes make a directory a key. EEXIST, ENOENT, ESTALE. */
    expect: Type.Optional(expect) }),
  reply: fileStatus,
})

const publishing = {
  to: path,
  /** Directory above the target that must exist, whatever is created. */
  base: Type.Optional(path),
  /** Creates missing directories. */
  parents: Type.Optional(Type.Boolean()),
  attributes: Type.Optional(attributes),
  expect: Type.Optional(expect),
  /**
   * Attributes that make a directory a key. At a path that is the content of such a key, `expect` is about the key: its content, or else
   * the directory.
   */
  keyAttributes: Type.Optional(attributeNames),
  mtimeMs: Type.Optional(instant),
}

/** Ends a lease with a file at another path, which replaces a file there. EISDIR, EBUSY while a writer has that path. */
export const publish = message('object.publish', {
  callers: 'user',
  audit: ({ to, lease }, reply) => ({ path: to, lease, bytes: reply?.length }),
  mutation: true, paths: 'checked',
  request: Type.Object({ requestId, lease: leaseId, blocks: Type.Array(sealedBlock, { maxItems: limits.fileBlocksMax }),
    /** Bytes of a small file, in place of blocks. */
    content: Type.Optional(fileContent), ...publishing }),
  bodyBytesMax: limits.jobBodyBytesMax, reply: storedStatus,
})

const smallObject = Type.Object({
  /** Number of the object in its call: its answer is kept under it. */
  number: Type.Integer({ minimum: 0, maximum: limits.inlinePutFilesMax - 1 }),
  content: fileContent, ...publishing,
})
export type SmallObject = Static<typeof smallObject>

const smallObjectOutcome = Type.Object({ ...smallFileOutcome.properties, status: Type.Optional(storedStatus) })

/**
 * Writes small objects whole, without a lease, each with an outcome of its own, in the order of the request. A repeat gets the first
 * answers. Errors of an object are those of `publish`; an error of the call concerns all objects.
 */
export const put = message('object.put', {
  callers: 'user',
  audit: ({ objects }, reply) => ({
    paths: objects.map(({ to }) => to), bytes: reply?.objects.reduce((sum, { status }) => sum + (status?.length ?? 0), 0),
    refused: reply?.objects.flatMap(({ error }, i) => (error ? [{ path: objects[i]!.to, code: error.code }] : [])),
  }),
  mutation: true, paths: 'checked', parts: 'objects',
  request: Type.Object({ requestId, objects: Type.Array(smallObject, { minItems: 1, maxItems: limits.inlinePutFilesMax }) }),
  /** `inlineBytes`: length up to which this namenode inlines objects. */
  reply: Type.Object({ objects: Type.Array(smallObjectOutcome), inlineBytes: count }),
})

const joinedPart = Type.Object({ name: Type.String({ minLength: 1, maxLength: limits.nameBytesMax }), id: inodeId })

/**
 * Makes a file of the blocks of files in a directory of uploads, in this order, and removes the directory with what else is in it.
 * ESTALE if a part is another file now.
 */
export const join = message('object.join', {
  callers: 'user',
  audit: ({ to, upload }, reply) => ({ path: to, upload, bytes: reply?.length }),
  mutation: true, paths: 'checked',
  request: Type.Object({ requestId, upload: path, parts: Type.Array(joinedPart, { minItems: 1, maxItems: limits.fileBlocksMax }),
    ...publishing }),
  reply: storedStatus,
})

/** Directories with older versions are read below this name of the directory of a key: `.snapshot/.objects/NAME/VERSION`. */
export const objectVersionsPath = '.snapshot/.objects'

/**
 * Whether objects below a directory, the bucket, get versions: with `Enabled` each has an id, and one that is replaced or deleted is kept;
 * with `Suspended` new ones are the version `null`. Older versions stay. Only for the owner. ENOENT, ENOTDIR, EACCES.
 */
export const versioning = message('object.versioning', {
  callers: 'user',
  audit: ({ path, state }) => ({ path, state }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, path, state: Type.Union([Type.Literal('Enabled'), Type.Literal('Suspended')]) }),
  reply: Type.Object({}),
})

const listedVersion = Type.Object({
  ...listed.properties,
  /** Absent for a common prefix. */
  version: Type.Optional(version),
  latest: Type.Optional(Type.Literal(true)),
  /** A delete marker. */
  marker: Type.Optional(Type.Literal(true)),
})

/**
 * Versions of the keys below a directory: keys in byte order, the versions of each from the newest to the oldest, behind `after`. The path
 * of a version's status is the one under which it is read.
 */
export const versions = message('object.versions', {
  callers: 'user',
  auditRead: ({ path, prefix }) => ({ path, prefix }),
  request: Type.Object({
    path, prefix: text(2 * limits.pathBytesMax), delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    after: Type.Optional(Type.Object({
      key: text(2 * limits.pathBytesMax),
      /** Default: behind all versions of the key. */
      version: Type.Optional(version),
    })),
    limit: Type.Integer({ minimum: 1, maximum: limits.listPageMax }), attributes: attributeNames,
  }),
  /** `next`: more may follow; `after` of the next call. */
  reply: Type.Object({
    entries: Type.Array(listedVersion),
    next: Type.Optional(Type.Object({ key: text(2 * limits.pathBytesMax), version: Type.Optional(version) })),
  }),
})

/**
 * Removes one version for good, without trash, and directories that became empty, up to `keep`. If it was the newest one, the version
 * before it becomes the object, unless it is a delete marker. ENOENT if there is no such version.
 */
export const removeVersion = message('object.removeVersion', {
  callers: 'user',
  audit: ({ path, version }) => ({ path, version }),
  mutation: true, paths: 'checked',
  request: Type.Object({ requestId, path, keep: path, version,
    /** `older`: not the object itself; `marker`: only a delete marker that is all that the key has. Otherwise ESTALE. */
    only: Type.Optional(Type.Union([Type.Literal('older'), Type.Literal('marker')])),
    /** Attributes that make a directory a key. If the path is the content of one that has them, that is its version `null`. */
    attributes: Type.Optional(attributeNames) }),
  /** `marker`: it was a delete marker. */
  reply: Type.Object({ marker: Type.Boolean() }),
})

/** Gives a version these attributes in place of the named ones. ENOENT, EISDIR for a delete marker, EACCES. */
export const describe = message('object.describe', {
  callers: 'user',
  audit: ({ path, version }) => ({ path, version }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, path, version, attributes, replaces: attributeNames }),
  reply: Type.Object({}),
})

/**
 * Removes a file, or an empty directory, without trash, and then the directories above it, up to `keep`, that became empty and that
 * writing the key again would make the same.
 * In a bucket with versioning, `keep`, a file stays as an older version, and the key gets a delete marker.
 */
export const remove = message('object.remove', {
  callers: 'user',
  audit: ({ path }) => ({ path }),
  mutation: true, paths: 'checked',
  request: Type.Object({
    requestId, path, keep: path, expect: Type.Optional(expect),
    /** Whether the path is expected to be a directory; one of the other kind is ENOENT. */
    directory: Type.Boolean(),
    /**
     * Attributes that make a directory a key: one that is not empty loses them, in place of ENOTEMPTY. With the path of the content of such
     * a key the key is removed, whether it is that file or the directory, and `expect` is about the key.
     */
    attributes: Type.Optional(attributeNames),
  }),
  /** `marker`: version of the delete marker that the key has got. */
  reply: Type.Object({ marker: Type.Optional(version) }),
})
