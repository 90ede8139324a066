// Results of the steps of a program: files in the staging of each step's job, which its program reads, and which are dropped when it ends.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { FileClient } from '../../src/file/client.ts'
import { resultDirectory } from '../../src/plan/history.ts'
import { drop, type JobStatus } from '../../src/protocol/job.ts'
import { list } from '../../src/protocol/namespace.ts'
import { isTooMuch, linesOf, tooMuch } from '../../src/shuffle/lines.ts'
import type { Cluster } from '../call/cluster.ts'
import { paged } from '../call/pages.ts'

interface ResultDeps { readonly cluster: Pick<Cluster, 'ask'>; readonly files: Pick<FileClient, 'read'> }

/**
 * Lines of the result of a job that has succeeded, in order; `first`: only so many. Throws TOO_LARGE for more than a program gets.
 * `method`: of the program, for the message.
 */
export async function readResult(
  { cluster, files }: ResultDeps, { job, counters }: JobStatus,
  { method, first = Infinity }: { readonly method: string; readonly first?: number | undefined }, signal?: AbortSignal,
): Promise<string[]> {
  const size = { values: counters['recordsOut'] ?? 0, bytes: counters['bytesOut'] ?? 0 }
  const isWhole = first >= size.values
  const check = (found: typeof size): void => {
    if (isTooMuch(found)) throw new GristmillError('TOO_LARGE', `${method} has ${tooMuch(found)}`, { details: { job } })
  }
  if (isWhole) check(size)
  const lines: string[] = []
  let bytes = 0
  const ask = (after: string | undefined) => cluster.ask(list, { path: resultDirectory(job), ...after !== undefined && { after } }, signal)
  for await (const { entries } of paged(ask)) {
    for (const { path } of entries) {
      if (lines.length >= first) return lines.slice(0, first)
      const pieces: Buffer[] = []
      for await (const piece of files.read(path, { signal })) pieces.push(piece)
      for (const line of linesOf(Buffer.concat(pieces))) {
        lines.push(line)
        bytes += line.length + 1
      }
      check({ values: Math.min(first, lines.length), bytes })
    }
  }
  return lines.slice(0, Math.min(first, lines.length))
}

/** Drops the result of a job. One that is gone already is no error. */
export async function dropResult(cluster: Pick<Cluster, 'ask'>, job: JobStatus['job']): Promise<void> {
  try {
    await cluster.ask(drop, { job })
  } catch (error) {
    if (!hasCode(error, 'EINVAL', 'ENOENT')) throw error
  }
}
