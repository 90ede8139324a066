// Order of test files: the longest first, so that no core waits for one of them at the end. Files not listed here follow in Vitest's
// order, which has no durations on a fresh clone.

import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Sorted by duration on two cores, from some minutes to a quarter of one. Shorter files of the project `slow` are left out: they follow
 * each other at the end, where each worker process runs several of them.
 */
const longest = [
  'sim/campaign', 'cluster/firsthour', 'cluster/processes', 'cluster/cli', 'cluster/node', 'cluster/input', 'cluster/power',
  'unit/client/fuzz', 'cluster/testingguide', 'cluster/guide', 'cluster/jobs', 'cluster/embedded', 'unit/datanode/executor/misbehaviour',
  'cluster/workflows', 'cluster/handover', 'cluster/security', 'cluster/readme', 'cluster/pack', 'cluster/bad-input',
  'unit/datanode/executor/leftovers',
  'cluster/builtins', 'cluster/examples', 'unit/datanode/executor/asked', 'cluster/transfer', 'cluster/crash', 'cluster/init',
  'cluster/dataflow', 'cluster/versions', 'cluster/takeover', 'cluster/integrity', 'cluster/commands', 'cluster/gateway', 'cluster/care',
  'cluster/sql', 'cluster/stream', 'cluster/full-disk', 'cluster/drivers', 'cluster/bad-program', 'cluster/operators', 'cluster/servers',
  'cluster/files', 'unit/src/sql/random', 'unit/datanode/executor/tasks', 'cluster/strangers', 'cluster/webhdfs', 'cluster/safety',
  'cluster/namenode', 'cluster/killed', 'cluster/adaptive',
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
