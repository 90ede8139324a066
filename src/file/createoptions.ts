// Options of a file that is written, in blocks (open.ts) or in one call with others (small.ts).
// INVARIANT: each option holds for files of any length. A file in one call takes an option into its message, or is left to a lease.

import type { RecordFormat } from '../base/formats.ts'
import type { Appearance } from '../protocol/writing.ts'

export interface CreateOptions {
  readonly overwrite?: boolean | undefined
  /** Create missing directories. */
  readonly parents?: boolean | undefined
  readonly mode?: number | undefined
  /** Mode of a new file below a default list; default: `mode`. */
  readonly unmasked?: number | undefined
  readonly replication?: number | undefined
  readonly blockBytes?: number | undefined
  readonly format?: RecordFormat | undefined
  /** Field separator, if it is known, of CSV in any format: its blocks end anywhere if it is compressed. */
  readonly delimiter?: string | undefined
  /** The same: the first row names the columns, or it does not, if known. */
  readonly header?: boolean | undefined
  /** false: the file gets blocks, however small it is. */
  readonly inline?: boolean | undefined
  /** Attributes and list that appear with the file, in the same step. */
  readonly appearance?: Appearance | undefined
  /** The file is a new state of the one at the path, which keeps its owner, group, mode and list. */
  readonly keepsOwner?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}
