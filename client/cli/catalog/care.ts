// The commands that keep what is stored safe from people, as the command line offers them.

import { parseBytes, parseDuration } from '../../../src/base/units.ts'
import { option, whole, type CommandSpec, type CommandGroup } from '../spec.ts'

const trash: CommandSpec = {
  name: 'trash', args: '<ls|restore|empty> [item...]',
  about: 'what was removed: list it, get it back, or remove it for good',
  notes:
    'What `rm` takes away stays in the trash of its user for a day (the setting trashKeep), and can be restored until then:\n'
    + 'by its item, as `trash ls` shows it, or by the path that it had (the newest of that path).\n'
    + 'Something that is there already is not replaced, unless --overwrite lets a file take the place of a file.',
  options: [
    option('-f, --overwrite', 'restore: replace a file that is there'),
    option('--to <path>', 'restore: give it this path instead of its old one'),
    option('--older-than <time>', 'empty: only what was removed at least this long ago, for instance 1h', { parse: parseDuration }),
    option('--all', 'ls, empty: of all users (for the superuser)'),
  ],
  examples: [
    ['gristmill trash ls', 'what there is, the newest first'],
    ['gristmill trash restore /logs/access.log', 'back where it was'],
    ['gristmill trash empty --older-than 1h', 'make room'],
  ],
  load: () => import('../commands/trash.ts'),
}

const snapshot: CommandSpec = {
  name: 'snapshot', args: '<create|ls|diff|rm> [path] [name...]',
  about: 'directories as they were: take, list, compare and remove snapshots',
  notes:
    'create PATH [NAME] takes as long for a terabyte as for a byte, and copies nothing. The snapshot is read at PATH/.snapshot/NAME by every\n'
    + 'command that reads (ls, cat, get, cp, find, du, run --input…) and never changes. ls [PATH] lists; diff PATH NAME [NAME] shows what changed since the\n'
    + 'first, until the second or now: + created, - deleted, M modified, R renamed. rm PATH NAME gives back what only it held.',
  options: [],
  examples: [
    ['gristmill snapshot create /grain monday', 'now'],
    ['gristmill cp -r /grain/.snapshot/monday/rye /grain/rye-again', 'get something back'],
    ['gristmill snapshot diff /grain monday', 'what changed since'],
  ],
  load: () => import('../commands/snapshot.ts'),
}

const quota: CommandSpec = {
  name: 'quota', args: '<set|get|clear> [path...]',
  about: 'bound the names and bytes below directories',
  notes:
    'Names are files and directories below the directory, bytes are counted with all replicas. What would go over a bound is refused, and changes nothing.\n'
    + 'set returns when what is there has been counted and the quota holds. get without a path lists all quotas. set and clear are for the superuser.',
  options: [
    option('--names <n>', 'set: at most so many files and directories', { parse: whole(0) }),
    option('--bytes <size>', 'set: at most so much, for instance 10GiB', { parse: parseBytes }),
  ],
  examples: [
    ['gristmill quota set /home/ada --names 100000 --bytes 1TiB', 'both bounds'],
    ['gristmill quota get /home/ada', 'what is used of them'],
    ['gristmill quota clear /home/ada', 'no bounds any more'],
  ],
  load: () => import('../commands/quota.ts'),
}

const xattr: CommandSpec = {
  name: 'xattr', args: '<get|set|ls|rm> <path> [name...] [value]', mayBeEmpty: 3,
  about: 'extended attributes: small values kept with files and directories',
  notes:
    'Names start with "user."; a value has up to 16 KiB. They stay with what they are set on through every rename, and are copied by cp -p.\n'
    + 'A value that is no text is shown in base64, behind 0s.',
  options: [],
  examples: [
    ['gristmill xattr set /grain/rye.txt user.origin "field 7"', 'make or replace one'],
    ['gristmill xattr ls /grain/rye.txt', 'all of them, with their values'],
    ['gristmill xattr rm /grain/rye.txt user.origin', 'and away'],
  ],
  load: () => import('../commands/xattr.ts'),
}

export const care: CommandGroup = { title: 'Care', commands: [trash, snapshot, quota, xattr] }
