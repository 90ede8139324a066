// Options that every command accepts, before or after its name; and the catalog of all command groups.

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
  option('--secret-file <file>', "file with the cluster's secret (default: GRISTMILL_SECRET_FILE, or the one of `gristmill up`)"),
  option('--home <directory>', 'directory of the embedded cluster and the settings (default: GRISTMILL_HOME or ~/.gristmill)'),
  option('--config <file>', 'settings file (default: config.json in the home)'),
  option('--json', 'print JSON: one document, or for lists one object per line'),
  option('--quiet', 'print no progress and no notes'),
]

const completion: CommandSpec = {
  name: 'completion', args: '<shell>', about: 'print a completion script for bash, zsh or fish',
  options: [], examples: [['gristmill completion bash >> ~/.bashrc', 'for every new shell']],
  load: () => import('../commands/completion.ts'),
}

export const groups: readonly CommandGroup[] = [
  files, care, jobsGroup, processes, nodesGroup, safety, { title: 'Help', commands: [completion] },
]
