// Order of test files: the longest first, so that no core waits for one of them at the end. Files not listed here follow in Vitest's
// order, which has no durations on a fresh clone.

import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Sorted by duration on two cores, from some minutes to a quarter of one. */
const longest = [
  'sim/campaign', 'cluster/handover', 'unit/datanode/executor/leftovers', 'cluster/processes', 'cluster/jobs', 'cluster/testingguide',
  'cluster/security', 'cluster/bad-program', 'cluster/pack', 'cluster/power', 'cluster/embedded', 'cluster/readme', 'cluster/servers',
  'cluster/firsthour', 'cluster/init', 'cluster/builtins', 'cluster/stream',
  'unit/datanode/executor/misbehaviour', 'unit/datanode/executor/asked',
  'cluster/cli', 'cluster/operators', 'cluster/input', 'cluster/full-disk', 'cluster/bad-input',
  'cluster/transfer', 'cluster/crash', 'cluster/integrity', 'cluster/care', 'cluster/commands', 'cluster/safety',
  'unit/datanode/executor/tasks', 'unit/src/file/failover', 'unit/datanode/executor/shuffle', 'unit/datanode/heartbeat/contact',
  'cluster/files', 'cluster/namenode', 'cluster/pause', 'sim/cluster',
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
