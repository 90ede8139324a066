// datanode: runs a datanode in this process until a signal ends it.

import type { CommandContext } from '../context.ts'
import type { CommandSpec } from '../spec.ts'
import { optionsOf, serve } from './server.ts'

export const datanode: CommandSpec = {
  name: 'datanode', args: '', about: 'run a datanode until a signal ends it',
  notes: 'Its namenode is the one of --cluster. --dir may be repeated: blocks are spread over all of them.',
  options: optionsOf('datanode'),
  examples: [['gristmill datanode --cluster namenode:8620 --dir /disk1 --dir /disk2 --rack /row1', 'two disks']],
  run: runServer,
}

async function runServer(context: CommandContext): Promise<void> {
  const { runDatanode } = await import('../../process/datanode.ts')
  await serve(context, runDatanode)
}
