// df: space on the datanodes, one row per datanode.

import { formatHuman, percent } from '../format.ts'
import type { CommandContext } from '../context.ts'
import { tabulate } from '../table.ts'

export async function run(context: CommandContext, _operands: readonly string[], options: { human?: boolean }): Promise<void> {
  const mill = await context.mill()
  const status = await mill.clusterStatus({ signal: context.signal })
  const nodes = status.nodes.map(node => {
    const sum = (pick: (storage: (typeof node.storages)[number]) => number): number =>
      node.storages.reduce((total, storage) => total + pick(storage), 0)
    return {
      node: node.node, address: node.address, state: node.state, blocks: node.blocks,
      capacityBytes: sum(one => one.capacityBytes), usedBytes: sum(one => one.usedBytes), freeBytes: sum(one => one.freeBytes),
    }
  })
  const total = { capacityBytes: 0, usedBytes: 0, freeBytes: 0 }
  for (const node of nodes) {
    total.capacityBytes += node.capacityBytes
    total.usedBytes += node.usedBytes
    total.freeBytes += node.freeBytes
  }
  if (context.json) return context.printer.json({ nodes, total })
  const show = options.human ? formatHuman : String
  const row = (name: string, state: string, size: typeof total): string[] => [
    name, state, show(size.capacityBytes), show(size.usedBytes), show(size.freeBytes),
    percent(size.capacityBytes - size.freeBytes, size.capacityBytes),
  ]
  const columns = [
    { title: 'DATANODE' }, { title: 'STATE' }, { title: 'SIZE', align: 'right' }, { title: 'USED', align: 'right' },
    { title: 'FREE', align: 'right' }, { title: 'FULL', align: 'right' },
  ] as const
  for (const line of tabulate(columns, [...nodes.map(node => row(node.address, node.state, node)), row('total', '', total)]))
    await context.printer.line(line)
}
