// The commands by which an operator sees that nothing is lost, as the command line offers them.

import { parseDuration } from '../../../src/base/units.ts'
import { option, type CommandSpec, type CommandGroup } from '../spec.ts'

const fsck: CommandSpec = {
  name: 'fsck', args: '[path...]',
  about: 'check that every block of every file has its replicas',
  notes:
    'Exit codes: 0 all is well; 1 some of it is not there or may not be read; 3 every byte can be read, but some blocks have too few or too many replicas, or all of them in one rack; '
    + '4 blocks are missing or only bad replicas of them are known. Nothing is changed: the namenode repairs by itself what can be repaired.',
  options: [
    option('--files', 'name every file, not only those with something wrong'),
    option('--blocks', 'and every block of them'),
    option('--locations', 'and the datanodes that have each block'),
  ],
  examples: [
    ['gristmill fsck', 'everything'],
    ['gristmill fsck /logs --locations', 'where each block of some files lies'],
  ],
  load: () => import('../commands/fsck.ts'),
}

const report: CommandSpec = {
  name: 'report', args: '', about: 'space, datanodes and their disks',
  options: [], examples: [['gristmill report', 'one paragraph a datanode']],
  load: () => import('../commands/report.ts'),
}

const safemode: CommandSpec = {
  name: 'safemode', args: '[get|enter|leave|wait]', about: 'look at, begin or end safe mode, in which nothing is changed',
  notes: 'A namenode starts in safe mode until it knows where blocks lie. `enter` stops every change, copy and deletion until `leave` or a restart; ' +
    'reads go on. `leave` ends safe mode whoever began it. `wait` returns when it is over.',
  options: [option('--timeout <time>', 'how long to wait (default: 60s)', { parse: parseDuration })],
  examples: [['gristmill safemode', 'is it on, and why'], ['gristmill safemode wait --timeout 5m', 'after a start']],
  load: () => import('../commands/safemode.ts'),
}

export const safety: CommandGroup = { title: 'Safety', commands: [fsck, report, safemode] }
