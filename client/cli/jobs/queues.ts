// queues: what runs and waits in each queue of jobs.

import { showText } from '../../../src/base/quote.ts'
import type { CommandContext } from '../context.ts'
import type { CommandSpec } from '../spec.ts'
import { tableLines, type Column } from '../table.ts'

export const queues: CommandSpec = {
  name: 'queues', args: '', about: 'list the queues of jobs, and what runs there',
  notes:
    'Queues are declared by the setting `queues` of the namenode, and share the slots of the datanodes by their weights. A job names its queue '
    + 'with --queue (run, stream, sql, build).',
  options: [],
  examples: [['gristmill queues', 'weights, bounds, jobs and tasks']],
  run: runQueues,
}

const columns: readonly Column[] = [
  { title: 'QUEUE' }, { title: 'WEIGHT', align: 'right' }, { title: 'TASKS AT MOST', align: 'right' }, { title: 'JOBS', align: 'right' },
  { title: 'RUNNING', align: 'right' }, { title: 'WAITING', align: 'right' },
]

async function runQueues(context: CommandContext): Promise<void> {
  const mill = await context.mill()
  const found = await mill.queues({ signal: context.signal })
  const { printer } = context
  if (context.json) return printer.json(found)
  const rows = found.queues.map(({ name, weight, slotsMax, jobs, running, waiting }) =>
    [showText(name), String(weight), slotsMax === undefined ? '-' : String(slotsMax), String(jobs), String(running), String(waiting)])
  for (const line of tableLines(columns, rows, printer.tableWidth)) await printer.line(line)
  printer.note(`${found.slots} slots on the datanodes that are live and in service`)
}
