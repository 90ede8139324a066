// Questions of the page that the library answers by several calls: lineage, staleness, differences, the structure of a Parquet file. They
// change nothing. The page imports the types only.

import { GristmillError } from '../../src/base/errors.ts'
import type { Difference } from '../files/diff.ts'
import type { Lineage } from '../jobs/lineage.ts'
import type { OutputDifference } from '../jobs/rowdiff.ts'
import type { Staleness } from '../jobs/why.ts'
import type { Mill } from '../mill.ts'
import { clusterIn } from '../sql/cluster.ts'
import { describeParquet, type ParquetFile, type ParquetTools } from '../sql/parquetfile.ts'
import { pathIn } from './params.ts'

export type QuestionTools = ParquetTools

interface Asking { readonly mill: Mill; readonly tools: QuestionTools; readonly signal: AbortSignal }

/** Entries of a snapshot that differ are shown up to here. */
const entriesMax = 1_000

/** Entries of a directory that differ from those of its snapshot. */
interface SnapshotDifference { readonly entries: readonly Difference[]; readonly cut: boolean }

/** Answers by the names of their questions. */
export interface Answers {
  readonly lineage: Lineage
  readonly why: Staleness
  readonly diff: OutputDifference
  readonly snapshot: SnapshotDifference
  readonly parquet: ParquetFile
}

/** Throws EINVAL for a question that is not known. */
export async function answerTo(name: string, query: URLSearchParams, { mill, tools, signal }: Asking): Promise<Answers[keyof Answers]> {
  switch (name) {
    case 'lineage': return mill.lineage(pathIn(query), { signal })
    case 'why': return mill.why(pathIn(query), { signal })
    case 'diff': return mill.diff(pathIn(query, 'from'), pathIn(query, 'to'), { signal })
    case 'snapshot': return snapshotDifference(mill, query, signal)
    case 'parquet': return describeParquet(pathIn(query), clusterIn(mill), tools, signal)
    default: throw new GristmillError('EINVAL', `the console does not know the question ${name.slice(0, 100)}; load the page again`)
  }
}

async function snapshotDifference(mill: Mill, query: URLSearchParams, signal: AbortSignal): Promise<SnapshotDifference> {
  const [path, name] = [pathIn(query), pathIn(query, 'name')]
  const entries: Difference[] = []
  for await (const each of mill.snapshots.diff(path, name, undefined, { signal })) {
    if (entries.length === entriesMax) return { entries, cut: true }
    entries.push(each)
  }
  return { entries, cut: false }
}
