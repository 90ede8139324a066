// The commands that keep what is stored safe from people, as the command line offers them.

import { parseDuration } from '../../../src/base/units.ts'
import { option, type CommandSpec, type Group } from '../spec.ts'

const trash: CommandSpec = {
  name: 'trash', args: '<ls|restore|empty> [item...]', about: 'what was removed: list it, get it back, or remove it for good',
  notes: 'What `rm` takes away stays in the trash of its user for a day (the setting trashKeep), and can be restored until then:\n' +
    'by its item, as `trash ls` shows it, or by the path that it had (the newest of that path).\n' +
    'Something that is there already is not replaced, unless --overwrite lets a file take the place of a file.',
  options: [
    option('-f, --overwrite', 'restore: replace a file that is there'), option('--to <path>', 'restore: give it this path instead of its old one'),
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

export const care: Group = { title: 'Care', commands: [trash] }
