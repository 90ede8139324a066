// Command specifications of group Safety, for operators: block health, space, safe mode.

import { parseDuration } from '../../../src/base/units.ts'
import { option, type CommandSpec, type CommandGroup } from '../spec.ts'

const fsck: CommandSpec = {
  name: 'fsck', args: '[path...]',
  about: 'check that every block of every file has its replicas, and the namenode\'s totals',
  notes:
    'Exit codes: 0 healthy; 1 a path does not exist or may not be read; 3 all data is readable, but some blocks have too few or too many replicas, or all of them in one rack, or totals of the namenode are wrong;  '
    + '4 some blocks have no replica or only corrupt ones. fsck changes nothing; the namenode repairs blocks by itself.  '
    + 'For the whole namespace, fsck of the superuser also counts files, directories, blocks, bytes and usages of quotas, and compares them with the numbers that the namenode keeps.',
  options: [
    option('--files', 'list every file, not only those with problems'),
    option('--blocks', 'list every block of these files'),
    option('--locations', 'list the datanodes of each block'),
  ],
  examples: [
    ['gristmill fsck', 'the whole namespace'],
    ['gristmill fsck /logs --locations', 'locations of all blocks below a path'],
  ],
  load: () => import('../commands/fsck.ts'),
}

const report: CommandSpec = {
  name: 'report', args: '', about: 'show space, datanodes and their disks',
  options: [], examples: [['gristmill report', 'one paragraph per datanode']],
  load: () => import('../commands/report.ts'),
}

const safemode: CommandSpec = {
  name: 'safemode', args: '[get|enter|leave|wait]', about: 'show, enter or leave safe mode, in which nothing is changed',
  notes: 'A namenode starts in safe mode until datanodes have reported their blocks. `enter` stops all changes, copies and deletions until `leave` or a restart;  ' +
    'reads go on. `leave` ends safe mode, however it began. `wait` returns when it is over.',
  options: [option('--timeout <time>', 'maximum wait (default: 60s)', { parse: parseDuration })],
  examples: [['gristmill safemode', 'state and reason'], ['gristmill safemode wait --timeout 5m', 'after a start']],
  load: () => import('../commands/safemode.ts'),
}

export const safety: CommandGroup = { title: 'Safety', commands: [fsck, report, safemode] }
