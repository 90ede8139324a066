// Command specifications of group Processes. The options of a server are derived from the settings that it uses, so flags,
// variables and the settings file always have the same names and meanings.

import { flagOf, settingNames } from '../../../src/base/config.ts'
import { settings, type Setting, type SettingUser } from '../../../src/base/settings.ts'
import { option, whole, type CommandSpec, type CommandGroup, type OptionSpec } from '../spec.ts'

/** Options that every command has already. */
const global = new Set(['home', 'cluster', 'secretFile'])

const placeholder = ({ kind, type }: Setting<unknown>): string => {
  if (kind !== 'value') return 'path'
  if (type.startsWith('number')) return 'n'
  if (type.startsWith('size')) return 'size'
  return type.startsWith('duration') ? 'time' : 'text'
}

const lower = (text: string): string => text[0]!.toLowerCase() + text.slice(1)

function optionsOf(user: SettingUser): OptionSpec[] {
  return settingNames
    .filter(name => !global.has(name) && (settings[name].usedBy as readonly SettingUser[]).some(one => one === user || one === 'all'))
    .map(name => {
      const setting: Setting<unknown> = settings[name]
      return option(
        `${flagOf(name)} <${placeholder(setting)}>`,
        `${lower(setting.about.replaceAll('`', '').replace(/\.$/, ''))} (default: ${setting.fallback.replaceAll('`', '')})`,
        setting.kind === 'paths' ? { repeat: true } : { parse: setting.parse },
      )
    })
}

const namenode: CommandSpec = {
  name: 'namenode',
  args: '[backup|recover|lost|allow-deletions] [directory]',
  about: 'run a namenode until a signal ends it, or maintain its state',
  notes:
    'Prints one line with its address when it is ready. SIGTERM lets calls in flight complete first; a second signal ends it at once. '
    + 'It exits with 74 if its store or journal is damaged; a restart does not help.\n\n'
    + '`backup` makes the running namenode write a checked copy of its state to a directory of its machine (default: its own backup directory).\n\n'
    + '`recover` rebuilds the state of a stopped namenode from its backups and its journal, reports the last operation recovered, and moves damaged files to quarantine. '
    + 'It exits with 4 if acknowledged operations could not be read, or if datanodes have seen operations that the recovered state lacks. '
    + 'Without --dir it uses the namenode of this home: the one of `gristmill namenode`, of `up`, or of the embedded cluster.\n\n'
    + "`lost` counts, on a running namenode, the replicas under block ids that operations lost in a recovery may have given out. They belong to no file and are kept until `--release`.\n\n"
    + '`allow-deletions` lets datanodes delete the blocks that they have refused to delete for a recently started namenode (see `report`).',
  options: [
    ...optionsOf('namenode'),
    option('--backup <directory>', 'recover: a directory of backups, or one backup (default: all backups of this namenode)'),
    option('--dry-run', 'recover: report what would be done, change nothing'),
    option('--release', 'lost: let datanodes delete these replicas'),
    option('--epoch <n>', 'recover: start with at least this epoch, if datanodes have seen a later one', { parse: whole(1) }),
  ],
  examples: [
    ['gristmill namenode --dir /var/lib/gristmill/namenode', 'reachable from this machine only'],
    ['gristmill namenode backup /mnt/backups', 'while it runs'],
    ['gristmill namenode recover --dry-run', 'report damage and what can be recovered'],
  ],
  load: () => import('../commands/namenode.ts'),
}

const datanode: CommandSpec = {
  name: 'datanode', args: '', about: 'run a datanode until a signal ends it',
  notes: 'Its namenode is the one of --cluster. --dir may be repeated: blocks are spread over all of them.',
  options: optionsOf('datanode'),
  examples: [['gristmill datanode --cluster namenode:8620 --dir /disk1 --dir /disk2 --rack /row1', 'two disks']],
  load: () => import('../commands/datanode.ts'),
}

const up: CommandSpec = {
  name: 'up', args: '',
  about: 'start a cluster of separate processes on this machine',
  notes:
    'Ctrl-C stops all processes, unless they were started with --detach. Their data is kept: the next `up` uses it again, with the same ports, the datanodes that have data,  '
    + 'and the previous options unless new ones are given. If some of the processes already run, it starts the others.\n\n'
    + 'Once a home has such a cluster, commands use it, and fail while it does not run. Files of the embedded cluster are still reachable with --cluster embedded.',
  options: [option('--detach', 'run in the background; return when all processes are ready'), ...optionsOf('up')],
  examples: [
    ['gristmill up --datanodes 3 --detach', 'in the background'],
    ['gristmill down', 'stop it'],
  ],
  load: () => import('../commands/up.ts'),
}

const down: CommandSpec = {
  name: 'down', args: '', about: 'stop the cluster that `up` started',
  options: [], examples: [['gristmill down', 'the data is kept']],
  load: () => import('../commands/down.ts'),
}

const status: CommandSpec = {
  name: 'status', args: '', about: 'show processes, nodes, blocks and their health',
  options: [], examples: [['gristmill status --json', 'as JSON: processes with role, id, address, pid, dir']],
  load: () => import('../commands/status.ts'),
}

export const processes: CommandGroup = { title: 'Processes', commands: [namenode, datanode, up, down, status] }
