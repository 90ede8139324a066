// The commands that start, stop and look at processes, as the command line offers them. The options of a server are the
// settings that it looks at, so that flags, variables and the file can never say different things.

import { flagOf, settingNames } from '../../../src/base/config.ts'
import { settings, type Setting, type SettingUser } from '../../../src/base/settings.ts'
import { option, whole, type CommandSpec, type CommandGroup, type OptionSpec } from '../spec.ts'

/** Options of every command already. */
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
  about: 'run a namenode until a signal ends it, or look after its state',
  notes:
    'Prints one line with its address when it is ready. SIGTERM lets calls in flight end first; a second signal ends it at once. '
    + 'It ends with 74 if its store or journal is damaged: starting it again does not help then.\n\n'
    + '`backup` has the running namenode make a copy of its state in a directory of its machine (its own place for backups unless told), and check every value of it.\n\n'
    + '`recover` rebuilds the state of a namenode that does not run, from its backups and its journal, says how far it came, and puts aside what was damaged. '
    + 'It ends with 4 if operations that are known to have happened could not be read, or datanodes have seen what its state does not have. '
    + 'Without --dir it is the namenode of this home: the one of `gristmill namenode`, of `up`, or of the embedded cluster.\n\n'
    + "`lost` counts, on a running namenode, what datanodes hold under ids that such operations may have given out. It is no file's, and is kept until `--release`.\n\n"
    + '`allow-deletions` tells datanodes that they may remove what they have refused to remove for so young a namenode (see `report`).',
  options: [
    ...optionsOf('namenode'),
    option('--backup <directory>', 'recover: a directory of backups, or one of them (default: all that this namenode has made)'),
    option('--dry-run', 'recover: say what would be done'),
    option('--release', 'lost: nothing of it is wanted any more; datanodes may remove it'),
    option('--epoch <n>', 'recover: begin at least this epoch, if datanodes have seen a later one', { parse: whole(1) }),
  ],
  examples: [
    ['gristmill namenode --dir /var/lib/gristmill/namenode', 'on this machine only'],
    ['gristmill namenode backup /mnt/backups', 'while it runs'],
    ['gristmill namenode recover --dry-run', 'what is damaged, and what can be had back'],
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
  about: 'bring up a cluster of real processes on this machine',
  notes:
    'Ctrl-C stops them all, unless --detach left them running. Their data stays: the next `up` goes on with it, with the same ports, the datanodes that have data, '
    + 'and the options that it was given before, as far as none are given now. Where some of the processes live already, it starts the others.\n\n'
    + 'Once a home has such a cluster, commands mean that one, and refuse while it does not run. Files of the embedded cluster stay where they are: --cluster embedded.',
  options: [option('--detach', 'return when all are ready'), ...optionsOf('up')],
  examples: [
    ['gristmill up --datanodes 3 --detach', 'in the background'],
    ['gristmill down', 'and away'],
  ],
  load: () => import('../commands/up.ts'),
}

const down: CommandSpec = {
  name: 'down', args: '', about: 'stop the cluster that `up` has started',
  options: [], examples: [['gristmill down', 'the data stays']],
  load: () => import('../commands/down.ts'),
}

const status: CommandSpec = {
  name: 'status', args: '', about: 'processes, nodes, blocks and their health',
  options: [], examples: [['gristmill status --json', 'for programs: processes with role, id, address, pid, dir']],
  load: () => import('../commands/status.ts'),
}

export const processes: CommandGroup = { title: 'Processes', commands: [namenode, datanode, up, down, status] }
