// Operations on data: OPEN, CREATE, APPEND, GETFILECHECKSUM, CONCAT and TRUNCATE. The first four have two steps, as in HDFS: the first
// answers with the address of the second, which has `data=true`. Here both lead to the same gateway.
// INVARIANT: nothing of a body is taken at the first step, where Hadoop's client has sent none.

import { pipeline } from 'node:stream/promises'
import { limits } from '../../../src/base/limits.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import { appendTo } from '../../files/append.ts'
import { modesOfNew } from './acls.ts'
import { checkReplication } from './changing.ts'
import { ChecksumOfBlocks } from './checksum.ts'
import { RemoteException } from './errors.ts'
import { absent, empty, json, redirect, truth, type Answer, type Call, type Operation } from './operation.ts'
import { clusterPath } from './paths.ts'

async function fileAt({ mill, path, signal }: Call): Promise<FileStatus> {
  const status = await mill.status(path, { signal })
  if (status.type === 'directory') throw new RemoteException('FileNotFoundException', `Path is not a file: ${path}`)
  return status
}

/** At the first step a directory is redirected too, as in HDFS: the second one says what is wrong. */
async function open(call: Call): Promise<Answer> {
  const { mill, path, params: { offset = 0, length, data }, signal } = call
  const opened = data ? await openFile(call) : undefined
  const status = opened?.status ?? await mill.status(path, { signal })
  if (offset >= status.length && status.length > 0)
    throw new RemoteException('IOException', `Offset=${offset} out of the range [0, ${status.length}); OPEN, path=${path}`)
  if (!opened) return redirect
  const end = Math.min(status.length, offset + (length ?? status.length))
  const headers = { 'content-type': 'application/octet-stream', 'content-length': Math.max(0, end - offset) }
  return { kind: 'data', headers, chunks: end > offset ? opened.read(offset, end) : none() }
}

async function* none(): AsyncGenerator<Buffer, void, undefined> { /* an empty file, or a length of 0 */ }

interface OpenFile {
  readonly status: FileStatus
  /** `end` is exclusive. */
  readonly read: (start: number, end: number) => AsyncIterable<Buffer>
}

/** Times that a file is looked at again, because it was replaced between the look and its opening. */
const triesMax = 10

/** A file at one version: its length and its bytes belong together, whatever is written at its path meanwhile. */
async function openFile(call: Call): Promise<OpenFile> {
  const { mill, path, signal } = call
  for (let tries = 1; tries <= triesMax; tries++) {
    const status = await fileAt(call)
    const handle = await mill.open(path, 'r', { signal })
    const { ino } = await handle.stat()
    if (ino !== status.id) continue
    return { status, read: (start, end) => handle.createReadStream({ start, end: end - 1, signal }) as AsyncIterable<Buffer> }
  }
  throw new RemoteException('RetriableException', `${path} is replaced again and again; try again`)
}

/** HDFS has no smaller checksums of its own, and so no other sizes of blocks. */
const blockUnit = 512

function checkBlockSize(bytes: number | undefined): void {
  if (bytes === undefined) return
  if (bytes < limits.blockBytesMin || bytes > limits.blockBytesMax)
    throw new RemoteException(
      'IOException', `Specified block size ${bytes} is not between ${limits.blockBytesMin} and ${limits.blockBytesMax} bytes`,
    )
  if (bytes % blockUnit !== 0)
    throw new RemoteException(
      'HadoopIllegalArgumentException', `Invalid values: dfs.bytes-per-checksum (=${blockUnit}) must divide block size (=${bytes}).`,
    )
}

/** The file appears when its last byte was stored; a client that disconnects before leaves nothing. */
async function create(call: Call): Promise<Answer> {
  const { mill, path, params, signal, body } = call
  if (!params.data) return redirect
  const { replication, blocksize: blockSize, createflag = [] } = params
  checkReplication(replication, path)
  checkBlockSize(blockSize)
  const overwrite = (params.overwrite ?? false) || createflag.includes('OVERWRITE')
  const parents = params.createparent ?? true
  if (path === '/') throw new RemoteException('FileAlreadyExistsException', '/ already exists as a directory')
  const modes = modesOfNew(call, 0o644)
  // Room for one piece: the next one is asked for when it was written.
  const stream = mill.createWriteStream(path, { overwrite, parents, replication, blockSize, ...modes, signal, highWaterMark: 1 })
  await pipeline(body({ reuse: true }), stream, { signal })
  return { kind: 'created', location: path }
}

async function append(call: Call): Promise<Answer> {
  const { mill, path, params, signal, body } = call
  const before = await mill.status(path, { signal })
  if (!params.data) return redirect
  if (before.type === 'directory')
    throw new RemoteException('FileAlreadyExistsException', `Cannot append to directory ${path}; already exists as a directory.`)
  await appendTo(mill, { path, before, more: body, signal })
  return empty
}

async function concat({ mill, path, params, signal }: Call): Promise<Answer> {
  const given = params.sources!.split(',').filter(Boolean)
  const relative = given.find(each => !each.startsWith('/'))
  if (relative !== undefined) throw new RemoteException('InvalidPathException', `Invalid path name ${relative}`)
  const sources = given.map(clusterPath)
  if (sources.length === 0) throw new RemoteException('HadoopIllegalArgumentException', 'No sources given')
  if (sources.includes(path))
    throw new RemoteException('HadoopIllegalArgumentException', `concat: the src file ${path} is the same with the target file ${path}`)
  if (sources.length > limits.concatFilesMax)
    throw new RemoteException('HadoopIllegalArgumentException',
      `concat: ${sources.length} sources are given, and ${limits.concatFilesMax} can be joined at a time`)
  await mill.status(path, { signal })
  let none: FileStatus | undefined
  // One after the other: a thousand questions at once would hold up all others.
  for (const source of sources) {
    const status = await mill.status(source, { signal })
    if (status.type === 'file' && status.length === 0) none ??= status
  }
  if (none) throw new RemoteException('HadoopIllegalArgumentException',
    `concat: source file ${none.path} is invalid or empty or underConstruction`)
  await mill.concat(path, sources, { signal })
  return empty
}

/** Cuts the file in one step; what is true at once in HDFS if the cut is between two blocks is always true here. */
async function truncate({ mill, path, params, signal }: Call): Promise<Answer> {
  const before = await mill.status(path, { signal })
  const keep = params.newlength!
  if (before.type === 'directory') throw new RemoteException('FileNotFoundException', `Path is not a file: ${path}`)
  if (keep > before.length)
    throw new RemoteException('HadoopIllegalArgumentException',
      `Cannot truncate to a larger file size. Current size: ${before.length}, truncate size: ${keep}.`)
  if (keep < before.length) await appendTo(mill, { path, before, keep, more: none, signal })
  return truth(true)
}

async function checksum(call: Call): Promise<Answer> {
  if (!call.params.data) {
    await call.mill.status(call.path, { signal: call.signal })
    return redirect
  }
  const { status: { blockBytes, length }, read } = await openFile(call)
  const sum = new ChecksumOfBlocks(blockBytes)
  if (length > 0) for await (const bytes of read(0, length)) sum.add(bytes)
  return json({ FileChecksum: sum.end() })
}

export const dataOperations: readonly Operation[] = [
  { verb: 'GET', name: 'OPEN', exceptions: { ...absent, EISDIR: 'FileNotFoundException' }, answer: open },
  { verb: 'PUT', name: 'CREATE', answer: create },
  {
    verb: 'POST', name: 'APPEND', exceptions: absent, answer: append,
    limits: 'writes the old content and the new one as a new file, which replaces the old one in one step: it takes as long as the whole file',
  },
  {
    verb: 'GET', name: 'GETFILECHECKSUM', exceptions: absent, answer: checksum,
    limits: 'computed by reading the file',
  },
  {
    verb: 'POST', name: 'CONCAT', required: ['sources'], readsSeveral: true,
    exceptions: { ...absent, EINVAL: 'HadoopIllegalArgumentException', EISDIR: 'FileNotFoundException', EBUSY: 'IOException' },
    answer: concat,
    limits: `in one step, without moving data; at most ${limits.concatFilesMax} sources, none of the files in a snapshot; a source that the namenode has inlined is written in blocks first, which needs permission to write it`,
  },
  {
    verb: 'POST', name: 'TRUNCATE', required: ['newlength'], exceptions: absent, answer: truncate,
    limits: 'writes the beginning as a new file, which replaces the old one in one step; the answer is `true`',
  },
]
