// Order of test files: the longest first, so that no core waits for one of them at the end; but all files of a project together, since the
// next file of a project runs in the process of the one before. Files not listed here follow in Vitest's order, which has no durations on a
// fresh clone.

import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Of each project sorted by duration on two cores, from some minutes to a quarter of one. Shorter files of the project `slow` are left out:
 * they follow each other at the end.
 */
const longest = [
  'sim/campaign',
  'unit/client/fuzz', 'unit/datanode/executor/misbehaviour', 'unit/datanode/executor/leftovers', 'unit/datanode/executor/asked',
  'unit/src/sql/random', 'unit/datanode/executor/tasks',
  'cluster/sql', 'cluster/firsthour', 'cluster/processes', 'cluster/input', 'cluster/workflows', 'cluster/handover', 'cluster/pack',
  'cluster/jobs', 'cluster/s3', 'cluster/power', 'cluster/namenode', 'cluster/cli', 'cluster/frames', 'cluster/drivers',
  'cluster/full-disk', 'cluster/guide', 'cluster/tables',
  'cluster/testingguide', 'cluster/embedded', 'cluster/security', 'cluster/dataflow', 'cluster/adaptive', 'cluster/care',
  'cluster/files', 'cluster/bad-input', 'cluster/versions', 'cluster/commands', 'cluster/node', 'cluster/bad-program', 'cluster/detached',
  'cluster/killed', 'cluster/integrity', 'cluster/stream', 'cluster/readme', 'cluster/webhdfs', 'cluster/rerun', 'cluster/builtins',
  'cluster/examples', 'cluster/crash', 'cluster/init', 'cluster/operators', 'cluster/transfer', 'cluster/servers', 'cluster/console',
  'cluster/bundle', 'cluster/scheduled', 'cluster/ml', 'cluster/safety', 'cluster/gateway', 'cluster/takeover', 'cluster/pause',
  'cluster/strangers', 'cluster/copies', 'cluster/machines',
].map(name => `test/${name}.test.ts`)

/** Order of the projects of the other files. */
const projects = ['tidy', 'unit', 'cluster', 'sim', 'slow']

const rankOf = ({ moduleId, project }: TestSpecification): number => {
  const rank = longest.findIndex(name => moduleId.endsWith(name))
  return rank < 0 ? longest.length + projects.indexOf(project.name) : rank
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files)
    return usual.map((file, i) => ({ file, i })).sort((a, b) => rankOf(a.file) - rankOf(b.file) || a.i - b.i).map(({ file }) => file)
  }
}
