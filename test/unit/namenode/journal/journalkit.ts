// Actions on a journal over a bench of namenode state, and their outcomes.

import { mkdir } from '../../../../namenode/namespace/names.ts'
import { list } from '../../../../namenode/namespace/read.ts'
import { requestId } from '../../../../src/base/ids.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { root, type Bench } from '../kit.ts'

export const names = (bench: Bench, path = '/'): string[] => list(bench.journal.view, root, { path }).entries.map(entry => entry.path)
export const make = (bench: Bench, path: string, id?: string): Promise<unknown> =>
  bench.do(mkdir, { path, ...id && { requestId: requestId(id) } })

/** Path of the last segment. */
export const lastSegment = (disk: MemoryDisk): string => [...disk.files.keys()].sort().at(-1)!

export async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'ok'
  } catch (error) {
    return (error as { code: string }).code
  }
}

/** An operation that takes `ms` of the journal's time. */
export const slowly = (bench: Bench, path: string, ms: number): Promise<unknown> => {
  const slow = { ...mkdir, mutate: (...given: Parameters<typeof mkdir.mutate>) => { bench.clock.pass(ms); return mkdir.mutate(...given) } }
  return bench.journal.submit(slow, { path, nowMs: 1, ...root })
}
