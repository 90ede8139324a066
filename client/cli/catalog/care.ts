// Command specifications of group Care: trash, snapshots, quotas, extended attributes.

import { parseBytes, parseDuration } from '../../../src/base/units.ts'
import { option, whole, type CommandSpec, type CommandGroup } from '../spec.ts'

const trash: CommandSpec = {
  name: 'trash', args: '<ls|restore|empty> [item...]',
  about: 'list, restore or permanently delete removed files',
  notes:
    '`rm` moves entries to the trash of the user. They can be restored for one day (setting trashKeep):\n'
    + 'by item, as `trash ls` shows it, or by original path (the newest entry of that path).\n'
    + 'An existing entry is not replaced; with --overwrite, a file replaces a file.',
  options: [
    option('-f, --overwrite', 'restore: replace an existing file'),
    option('--to <path>', 'restore: restore to this path instead of the original one'),
    option('--older-than <time>', 'empty: only entries removed at least this long ago, for instance 1h', { parse: parseDuration }),
    option('--all', 'ls, empty: of all users (for the superuser)'),
  ],
  examples: [
    ['gristmill trash ls', 'list the trash, newest first'],
    ['gristmill trash restore /logs/access.log', 'restore to the original path'],
    ['gristmill trash empty --older-than 1h', 'free space'],
  ],
  load: () => import('../commands/trash.ts'),
}

const snapshot: CommandSpec = {
  name: 'snapshot', args: '<create|ls|diff|rm> [path] [name...]',
  about: 'create, list, compare and remove snapshots of directories',
  notes:
    'create PATH [NAME] copies no data; its time does not depend on the size. The snapshot is available at PATH/.snapshot/NAME to every '
    + 'command that reads (ls, cat, get, cp, find, du, run --input…) and never changes. ls [PATH] lists snapshots; diff PATH NAME [NAME] shows the changes from the '
    + 'first to the second, or to now: + created, - deleted, M modified, R renamed. rm PATH NAME frees the space that only this snapshot uses.',
  options: [],
  examples: [
    ['gristmill snapshot create /grain monday', 'snapshot of the current state'],
    ['gristmill cp -r /grain/.snapshot/monday/rye /grain/rye-again', 'restore a file'],
    ['gristmill snapshot diff /grain monday', 'changes since then'],
  ],
  load: () => import('../commands/snapshot.ts'),
}

const quota: CommandSpec = {
  name: 'quota', args: '<set|get|clear> [path...]',
  about: 'limit the number of names and bytes below directories',
  notes:
    'Names are files and directories below the directory; bytes include all replicas. An operation that would exceed a quota fails and changes nothing.\n'
    + 'set returns when the existing entries are counted and the quota is in force. get without a path lists all quotas. set and clear require the superuser.',
  options: [
    option('--names <n>', 'set: maximum number of files and directories', { parse: whole(0) }),
    option('--bytes <size>', 'set: maximum number of bytes, for instance 10GiB', { parse: parseBytes }),
  ],
  examples: [
    ['gristmill quota set /home/ada --names 100000 --bytes 1TiB', 'both limits'],
    ['gristmill quota get /home/ada', 'limits and usage'],
    ['gristmill quota clear /home/ada', 'remove the limits'],
  ],
  load: () => import('../commands/quota.ts'),
}

const xattr: CommandSpec = {
  name: 'xattr', args: '<get|set|ls|rm> <path> [name...] [value]', mayBeEmpty: 3,
  about: 'get, set, list or remove extended attributes',
  notes:
    'Names start with "user."; a value has up to 16 KiB. Attributes are kept across renames; cp -p copies them.\n'
    + 'A value that is not text is shown in base64, with the prefix 0s.',
  options: [],
  examples: [
    ['gristmill xattr set /grain/rye.txt user.origin "field 7"', 'create or replace an attribute'],
    ['gristmill xattr ls /grain/rye.txt', 'all attributes with their values'],
    ['gristmill xattr rm /grain/rye.txt user.origin', 'remove an attribute'],
  ],
  load: () => import('../commands/xattr.ts'),
}

export const care: CommandGroup = { title: 'Care', commands: [trash, snapshot, quota, xattr] }
