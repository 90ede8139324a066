// Options that every command takes, before its name or after it; and the catalog of all groups.

import { option, type CommandSpec, type CommandGroup, type OptionSpec } from '../spec.ts'
import { care } from './care.ts'
import { files } from './files.ts'
import { jobsGroup } from './jobs.ts'
import { nodesGroup } from './nodes.ts'
import { processes } from './processes.ts'
import { safety } from './safety.ts'

export const globals: readonly OptionSpec[] = [
  option(
    '--cluster <address>',
    "a namenode's host:port, or `embedded` (default: GRISTMILL_CLUSTER, the cluster of `gristmill up` in this home, else embedded)",
  ),
  option('--secret-file <file>', "the cluster's secret (default: GRISTMILL_SECRET_FILE, or as `gristmill up` left it)"),
  option('--home <directory>', 'where the embedded cluster and settings live (default: GRISTMILL_HOME or ~/.gristmill)'),
  option('--config <file>', 'settings (default: config.json in the home)'),
  option('--json', 'print for programs: a JSON document, or one object a line for lists'),
  option('--quiet', 'no progress and no remarks'),
]

const completion: CommandSpec = {
  name: 'completion', args: '<shell>', about: 'print a completion script for bash, zsh or fish',
  options: [], examples: [['gristmill completion bash >> ~/.bashrc', 'for every new shell']],
  load: () => import('../commands/completion.ts'),
}

export const groups: readonly CommandGroup[] = [
  files, care, jobsGroup, processes, nodesGroup, safety, { title: 'Help', commands: [completion] },
]
