// Order of test files: the longest first, so that no core waits for one of them at the end. Files not listed here follow in Vitest's
// order, which has no durations on a fresh clone.

import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Sorted by duration on two cores, from a minute to a quarter of one. */
const longest = [
  'sim/campaign', 'cluster/cli', 'cluster/bad-program', 'cluster/jobs', 'cluster/testingguide', 'cluster/bad-input', 'cluster/power',
  'cluster/care', 'cluster/security', 'cluster/pack', 'cluster/readme', 'cluster/full-disk', 'cluster/crash', 'cluster/operators',
  'cluster/embedded', 'cluster/safety', 'cluster/integrity', 'unit/executor/misbehaviour', 'unit/executor/tasks', 'unit/datanode/contact',
  'unit/file/failover', 'unit/executor/shuffle',
].map(name => `test/${name}.test.ts`)

const rankOf = ({ moduleId }: TestSpecification): number => {
  const rank = longest.findIndex(name => moduleId.endsWith(name))
  return rank < 0 ? longest.length : rank
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files)
    return usual.map((file, i) => ({ file, i })).sort((a, b) => rankOf(a.file) - rankOf(b.file) || a.i - b.i).map(({ file }) => file)
  }
}
