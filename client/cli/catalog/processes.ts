// The commands that start, stop and look at processes, as the command line offers them.

import { option, whole, type CommandSpec, type Group } from '../spec.ts'

const listen = [
  option('--host <address>', 'interface to listen on (default 127.0.0.1); any other needs a secret file'),
  option('--port <n>', 'port; 0 takes a free one', { parse: whole(0, 65_535) }),
] as const

const namenode: CommandSpec = {
  name: 'namenode', args: '', about: 'run a namenode until a signal ends it',
  notes: 'Prints one line with its address when it is ready. SIGTERM lets calls in flight end first; a second signal ends it at once.',
  options: [option('--dir <directory>', 'its data'), ...listen],
  examples: [['gristmill namenode --dir /var/lib/gristmill/namenode', 'on this machine only']],
  load: () => import('../commands/namenode.ts'),
}

const datanode: CommandSpec = {
  name: 'datanode', args: '', about: 'run a datanode until a signal ends it',
  notes: 'Its namenode is the one of --cluster. --dir may be repeated: blocks are spread over all of them.',
  options: [
    option('--dir <directory>', 'its blocks; the first one holds its identity', { repeat: true }), ...listen,
    option('--rack <name>', 'where it stands, for instance /row1/rack2'), option('--host-name <name>', 'its name to others; equal names mean the same machine'),
    option('--slots <n>', 'tasks at a time', { parse: whole(0, 1024) }),
  ],
  examples: [['gristmill datanode --cluster namenode:8620 --dir /disk1 --dir /disk2 --rack /row1', 'two disks']],
  load: () => import('../commands/datanode.ts'),
}

const up: CommandSpec = {
  name: 'up', args: '', about: 'bring up a cluster of real processes on this machine',
  notes: 'Ctrl-C stops them all, unless --detach left them running. Their data stays: the next `up` goes on with it.',
  options: [
    option('--datanodes <n>', 'how many (default 3)', { parse: whole(1, 64) }), option('--dir <directory>', 'where their data goes (default: cluster in the home)'),
    option('--port <n>', 'port of the namenode (default: a free one)', { parse: whole(0, 65_535) }), option('--detach', 'return when all are ready'),
  ],
  examples: [['gristmill up --datanodes 3 --detach', 'in the background'], ['gristmill down', 'and away']],
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

export const processes: Group = { title: 'Processes', commands: [namenode, datanode, up, down, status] }
