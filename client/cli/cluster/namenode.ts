// namenode: runs a namenode in this process until a signal ends it; or maintains its state, with a verb.

import { isAbsolute, join } from 'node:path'
import { formatBytes } from '../../../src/base/units.ts'
import type { CommandContext } from '../context.ts'
import { plural } from '../display.ts'
import type { CommandSpec } from '../spec.ts'
import { lost, recover } from './recover.ts'
import { optionsOf, serve } from './server.ts'

const serverOptions = optionsOf('namenode')

/** Accepts the options of the server too, so that `recover` can be added to the command line that runs the namenode. */
const withServerOptions = (verb: CommandSpec): CommandSpec => ({
  ...verb,
  options: [
    ...verb.options,
    ...serverOptions.filter(({ flags }) => !verb.options.some(one => one.flags === flags)).map(one => ({ ...one, hidden: true })),
  ],
})

const backup: CommandSpec = {
  name: 'backup', args: '[directory]', about: 'write a checked copy of the running namenode\'s state',
  operands: [['[directory]', "a directory of the namenode's machine (default: its own backup directory)"]],
  options: [], examples: [['gristmill namenode backup /mnt/backups', 'while it runs']],
  run: runBackup,
}

const allowDeletions: CommandSpec = {
  name: 'allow-deletions', args: '', about: 'let datanodes delete blocks that they refused to delete',
  notes:
    'Datanodes refuse mass deletions from a recently started namenode (see `report`) until an operator confirms that its state is right.',
  options: [], examples: [['gristmill namenode allow-deletions', 'confirm the deletions']],
  run: runAllowDeletions,
}

export const namenode: CommandSpec = {
  name: 'namenode', args: '',
  about: 'run a namenode, or maintain its state',
  notes:
    'Without a verb, runs a namenode until a signal ends it. Prints one line with its address when it is ready. SIGTERM lets calls in flight complete first; a second signal '
    + 'ends it at once. It exits with 74 if its store or journal is damaged; a restart does not help, `recover` does.',
  options: serverOptions,
  examples: [
    ['gristmill namenode --dir /var/lib/gristmill/namenode', 'reachable from this machine only'],
    ['gristmill namenode backup /mnt/backups', 'while it runs'],
    ['gristmill namenode recover --dry-run', 'report damage and what can be recovered'],
  ],
  run: runServer,
  verbs: [backup, recover, lost, allowDeletions].map(withServerOptions),
}

async function runServer(context: CommandContext): Promise<void> {
  const { runNamenode } = await import('../../process/namenode.ts')
  await serve(context, runNamenode)
}

/** The directory is on the namenode's machine; a relative path is resolved against the working directory of the command. */
async function runBackup(context: CommandContext, [directory]: readonly string[]): Promise<void> {
  const { printer, signal, cwd } = context
  const mill = await context.mill()
  const made = await mill.backup(directory === undefined || isAbsolute(directory) ? directory : join(cwd, directory), { signal })
  if (context.json) return printer.json(made)
  await printer.line(
    `${made.path}: ${plural(made.files, 'file')}, ${plural(made.directories, 'directory', 'directories')} and ` +
    `${plural(made.blocks, 'block')} up to operation ${made.seq}, ${formatBytes(made.bytes)}, every value checked`,
  )
}

async function runAllowDeletions(context: CommandContext): Promise<void> {
  const { printer, signal } = context
  const { nodes } = await (await context.mill()).allowDeletions({ signal })
  if (context.json) return printer.json({ nodes })
  if (nodes.length === 0) return printer.line('no datanode has refused deletions')
  for (const { node, address, refused } of nodes) await printer.line(`${node} at ${address} may delete ${plural(refused, 'block')}`)
}
