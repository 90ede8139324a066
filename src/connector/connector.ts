// Contract of connectors: sources and sinks outside of the cluster. A connector is one folder of this room. It holds no state of a job: the
// caller keeps pins, splits and receipts, which are plain JSON, and may hand them to another process or to a later attempt.
//
// A source is read in three steps:
//   pin    fixes what is read: the names, and an identity of each content (ETag, snapshot, offsets). Done once for a job.
//   split  divides a pin into parts that tasks read independently. Pure.
//   read   gives the items of a split from a position on. Any attempt, on any machine, at any later time, gets the same items in the same
//          order; once the outside has changed it gets ESTALE, never other items.
//
// A sink is written in three steps:
//   stage  sends the items of one part to a place where readers of the destination do not see them; gives a receipt. Several attempts of
//          one part may stage at the same time; each has a receipt of its own, and those that are not committed leave no trace for readers.
//   commit makes the parts of these receipts visible, and stores the token of the commit at the destination. Called again with the same
//          token, by any process, it completes what is missing and changes nothing else: a commit whose reply was lost is repeated.
//          One that finds an item wrong that `stage` has taken, as a key that comes twice, may throw StageAgain, once: the caller stages
//          the parts again, and the sink looks at each item as it comes, and names the one that is wrong.
//   abort  drops what was staged, but for what a repeat can go on from. It never throws; what it cannot drop is listed in the
//          connector's guide.
//   discard  drops that, too: content that was made for this output alone, as the rows of a query, is never sent again.
// The token names one output: the same content for the same destination has the same token in every attempt and after every restart.
// A caller first asks `committed`: if the token is there, the output is there, and nothing is staged. Exactly once is therefore a matter of
// the destination alone: no state of the caller decides it.
//
// A destination that appends, and where nothing can be staged out of sight (a log, such as a topic of Kafka), is written in one step:
//   write  first ends what earlier attempts of the same exporter still write there, then learns from the destination how far this token has
//          come, and appends what is missing, in the order of the parts and of their items. It does so in transactions, each with the
//          progress of the token in it: readers see the items of a part before all are there, each once, and in order.
// As above, the token decides, and the destination alone knows what is done. There is no abort: what was appended stays, and the next
// attempt goes on behind it.
//
// Messages and logs name a place by `shown`, which has no password, key or signature in it.

import { GristmillError } from '../base/errors.ts'

interface OutsideSource<Pin, Split, Item> {
  /** Name for messages. */
  readonly shown: string
  /** Throws ENOENT, EACCES, UNAUTHENTICATED, UNAVAILABLE. */
  pin(signal?: AbortSignal): AsyncIterable<Pin>
  /** Parts of about this many bytes or rows, in order; one part if the source cannot be divided. */
  split(pin: Pin, sizeMax: number): readonly Split[]
  /**
   * `from`: items (bytes of a file, rows of a table) that the caller has already. Throws ESTALE if the source is no longer what was pinned,
   * UNAVAILABLE and TIMEOUT if the read may go on from where it stopped.
   */
  read(split: Split, from: number, signal?: AbortSignal): AsyncIterable<Item>
}

/** Record of a commit, which the destination stores. */
export interface Committed {
  readonly token: string
  /** Names of the parts that it has made visible. */
  readonly parts: readonly string[]
}

/** Nothing is committed, and nothing is staged. */
export class StageAgain extends Error {}

export interface OutsideSink<Part, Item, Receipt> {
  readonly shown: string
  /** A commit over another one replaces content that the caller may want to keep: only with the caller's consent. */
  readonly isGuarded: boolean
  /** The commit of this token, or else the last one of this destination; undefined if there is none. */
  committed(token: string, signal?: AbortSignal): Promise<Committed | undefined>
  /**
   * Throws away what attempts that were killed have staged for these parts. REQUIRES: no other writer stages for this destination; one that
   * does gets ESTALE in its commit.
   */
  sweep(token: string, parts: readonly Part[], signal?: AbortSignal): Promise<void>
  stage(token: string, part: Part, items: AsyncIterable<Item>, signal?: AbortSignal): Promise<Receipt>
  /** `before`: what `committed` has said; parts of it that the commit replaces and does not have are removed. */
  commit(token: string, receipts: readonly Receipt[], before: Committed | undefined, signal?: AbortSignal): Promise<void>
  abort(receipts: readonly Receipt[]): Promise<void>
  /** REQUIRES: no later call has this token. Never throws. */
  discard(token: string, receipts: readonly Receipt[]): Promise<void>
}

export interface LogWritten {
  /** Rows that were appended. */
  readonly rows: number
  /** All rows were there already. */
  readonly unchanged: boolean
}

export interface OutsideLog<Part, Item> {
  readonly shown: string
  /**
   * `content`: the items of a part, from its beginning; may be asked for again. Resolves when all items are there. Throws ESTALE if another
   * writer of the same exporter has begun, EINVAL for an item that does not fit: those before it may be there.
   */
  write(
    token: string, parts: readonly Part[], content: (part: Part) => AsyncIterable<Item>, signal?: AbortSignal,
  ): Promise<LogWritten>
}

/** A file of a source, pinned. */
export interface FilePin {
  /** Name below the place that was asked for; of a single file its own name. */
  readonly name: string
  /** Address of the file, without credentials. */
  readonly url: string
  /** Missing if the server does not say it: such a file is read from its beginning to its end only. */
  readonly bytes?: number
  /** Strong validator of the content. */
  readonly etag?: string
  /** Time of the last change, as the server writes it; the validator of servers without ETags. */
  readonly modified?: string
  /** Weak validator: another one is another content, and the same one proves nothing. */
  readonly weak?: string
  /** The server answers requests for ranges. */
  readonly ranges: boolean
  /** `etag` alone says that the content is the same: the source does not know its length. */
  readonly isExact?: boolean
  /** Checksums of the whole content that the server has given. */
  readonly sums: readonly FileSum[]
}

export interface FileSum {
  readonly algorithm: 'sha256' | 'sha1' | 'md5' | 'crc32c'
  /** Lower case. */
  readonly hex: string
}

/** Bytes [start, end) of a pinned file. Without `end`: to the end. */
export interface FileSplit { readonly pin: FilePin; readonly start: number; readonly end?: number }

/** A file of a sink, by its name below the destination. */
export interface FilePart {
  readonly name: string
  readonly bytes: number
  /** CSV: whether the first row names the columns; default: its writer has not said, and it does. */
  readonly header?: boolean | undefined
}

/** For sinks of rows, which go by the names of columns. Throws EINVAL. */
export function checkHeader({ name, header }: FilePart): void {
  if (header === false)
    throw new GristmillError('EINVAL', `${name}: its writer has said that no row names its columns; write the file again with such a row`)
}

export interface OutsideFiles extends OutsideSource<FilePin, FileSplit, Uint8Array> {
  /** A read of the file may go on behind its beginning. */
  resumes(pin: FilePin): boolean
  /** Ends what the source holds for its pins. */
  close?(): Promise<void>
}

/** Splits of a file; a file that cannot be read from the middle, because of its server, is one split. */
export function splitFile(pin: FilePin, sizeMax: number): readonly FileSplit[] {
  if (pin.bytes === undefined || !isResumable(pin)) return [{ pin, start: 0 }]
  const splits: FileSplit[] = []
  for (let start = 0; start === 0 || start < pin.bytes; start += sizeMax)
    splits.push({ pin, start, end: Math.min(pin.bytes, start + sizeMax) })
  return splits
}

/**
 * A range of the file can be asked for, and is of the pinned content for certain. The time of the last change does not say so: a file that
 * is replaced within the same second has the same one, and so has one that a copy has kept the times of.
 */
export const isResumable = ({ ranges, etag, bytes }: FilePin): boolean => ranges && bytes !== undefined && etag !== undefined
