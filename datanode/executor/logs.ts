// Logs of attempts: `<dir>/logs/<job>/<attempt>.log`, the unmodified output of their programs. An executor appends the program's prints;
// the node appends the output of the process itself, such as V8's message when the heap is full. The size of a log is bounded, and so
// is their number: the oldest are removed.

import { GristmillError } from '../../src/base/errors.ts'
import type { AttemptId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { formatBytes } from '../../src/base/units.ts'
import type { Disk, DiskWriter } from '../../src/ports/disk.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import type { log } from '../../src/protocol/task.ts'
import { logFile } from '../shuffle/paths.ts'

/** Longest character in UTF-8: a shorter piece might never get past one. */
const charBytesMax = 4

const notice = Buffer.from(`\n[gristmill: this log has reached ${formatBytes(limits.taskLogBytesMax)}; what follows is left out]\n`)

/**
 * Appends to one attempt's log, with other writers, without buffering, so that output before a crash is kept. The first write opens the
 * file.
 */
export class LogWriter {
  readonly #disk: Disk
  readonly #dir: string
  readonly #attempt: AttemptId
  #opening: Promise<void> | undefined
  #writer: DiskWriter | undefined
  #waiting: Uint8Array[] = []
  #full = false

  constructor(disk: Disk, dir: string, attempt: AttemptId) {
    this.#disk = disk
    this.#dir = dir
    this.#attempt = attempt
  }

  /** Opens the file, so that the next `write` is not buffered. */
  open(): Promise<void> {
    return this.#opening ??= this.#open()
  }

  async #open(): Promise<void> {
    const { directory, path } = logFile(this.#dir, this.#attempt)
    await this.#disk.mkdir(directory)
    this.#writer = await this.#disk.openAppend(path)
    for (const bytes of this.#waiting.splice(0)) this.write(bytes)
  }

  /** Never throws, never waits: a log that cannot be written must not fail the work. */
  write(bytes: Uint8Array): void {
    if (this.#full) return
    if (!this.#writer) {
      this.#waiting.push(Uint8Array.from(bytes))
      this.open().catch(() => { this.#full = true })
      return
    }
    try {
      // Both processes write to it: the bound is that of the file.
      const room = limits.taskLogBytesMax - notice.length - this.#writer.bytes
      this.#full = bytes.length > room
      if (room > 0) this.#writer.writeSync(this.#full ? bytes.subarray(0, room) : bytes)
      if (this.#full && room >= 0) this.#writer.writeSync(notice)
    } catch {
      this.#full = true
    }
  }

  async close(): Promise<void> {
    try {
      await this.#opening
      await this.#writer?.close()
    } catch {
      // An error is ignored, as in `write`.
    }
    this.#full = true
  }
}

/**
 * Reads a part of a log, for `task.log`. `over`: the attempt neither runs nor waits on this node, so that a log that exists is complete.
 * `next`: offset of the next read, unless the end was reached.
 */
export async function readLog(
  disk: Disk, dir: string,
  { attempt, offset, limit = 64 * 1024, over }: { attempt: AttemptId; offset: number; limit?: number | undefined; over: boolean },
): Promise<ReplyOf<typeof log>> {
  const { path } = logFile(dir, attempt)
  const found = await disk.stat(path, { follow: false })
  // The file is created when the attempt begins. Without one it may still begin: its order may be on its way to this node.
  if (!found) return { text: '', next: offset, ...over && { absent: true } }
  // Tasks may write to this directory, so a program may have replaced the file.
  if (found.kind !== 'file')
    throw new GristmillError(
      'CORRUPT',
      `the log of ${attempt} cannot be read: a ${found.kind === 'directory' ? 'directory' : 'pipe, link or device'} is in the place of ` +
      `its file, ${path} on its datanode; a program has put it there`,
      { details: { attempt } },
    )
  if (offset > found.bytes)
    throw new GristmillError('EINVAL', `the log of ${attempt} has ${found.bytes} bytes; there is nothing at ${offset}`)
  const reader = await disk.openRead(path)
  try {
    const bytes = Buffer.alloc(Math.min(Math.max(limit, charBytesMax), found.bytes - offset))
    const length = wholeText(bytes.subarray(0, await reader.read(bytes, offset)), offset + bytes.length >= found.bytes && over)
    const next = offset + length
    return { text: bytes.toString('utf8', 0, length), ...(!(over && next >= found.bytes) && { next }) }
  } finally {
    await reader.close()
  }
}

/** The length without an incomplete UTF-8 character at the end; the full length if nothing follows. */
function wholeText(bytes: Buffer, isEnd: boolean): number {
  if (isEnd) return bytes.length
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if (byte < 0x80) break
    if (byte < 0xc0) continue
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return needed > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}
