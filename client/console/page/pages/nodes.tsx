// Nodes: all datanodes, as the namenode sees them; and its log.

import type { NodeStatus } from '../../../../src/protocol/admin.ts'
import { spaceOf } from '../../../../src/protocol/space.ts'
import { formatCount, formatDuration, visible } from '../format.ts'
import { live } from '../live.ts'
import { Balance } from '../parts/balance.tsx'
import { ServerLog } from '../parts/serverlog.tsx'
import { Title } from '../parts/shell.tsx'
import { Badge, nodeTones, Space } from '../parts/small.tsx'
import { Empty, Loading } from '../parts/states.tsx'
import { Table, type TableColumn } from '../parts/table.tsx'

/** Live or not, and the service that it is in, unless that is the usual one. */
const statesOf = ({ state, service }: NodeStatus): string[] =>
  service === undefined || service === 'in-service' ? [state] : [state, service]

export const StateBadges = ({ node }: { readonly node: NodeStatus }) => (
  <>
    {statesOf(node).map((text, i) => (
      <>
        {i > 0 && ' '}
        <Badge tone={i > 0 ? 'warn' : (nodeTones[text] ?? 'dim')}>{text}</Badge>
      </>
    ))}
  </>
)

export const contactOf = ({ state, sinceContactMs }: NodeStatus): string =>
  state === 'live' ? 'now' : `${formatDuration(sinceContactMs)} ago`

const columns: readonly TableColumn<NodeStatus>[] = [
  {
    title: 'Node',
    value: ({ node }) => node,
    cell: ({ node, address }) => (
      <>
        <a href={`/nodes/${node}`}>{visible(address)}</a> <span class="dim mono">{node}</span>
      </>
    ),
  },
  { title: 'State', value: node => statesOf(node).join(', '), cell: node => <StateBadges node={node} /> },
  { title: 'Host', value: ({ host }) => host, cell: ({ host }) => visible(host), wide: true },
  { title: 'Rack', value: ({ rack }) => rack, cell: ({ rack }) => visible(rack), wide: true },
  {
    title: 'Disks',
    hint: 'Space in use on the disks, by blocks and by all other files',
    value: node => 1 - spaceOf([node]).freeBytes / (spaceOf([node]).capacityBytes || 1),
    cell: node => <Space {...spaceOf([node])} />,
  },
  { title: 'Blocks', number: true, value: ({ blocks }) => blocks, cell: ({ blocks }) => formatCount(blocks) },
  {
    title: 'Tasks',
    number: true,
    value: ({ running, slots }) => `${running} of ${slots}`,
    order: ({ running }) => running,
    cell: ({ running, slots }) => `${running} of ${slots}`,
  },
  { title: 'Last contact', number: true, value: ({ sinceContactMs }) => sinceContactMs, cell: contactOf },
  { title: 'Version', value: ({ version }) => version, cell: ({ version }) => visible(version), wide: true },
]

export function NodesPage() {
  const { status } = live.value
  return (
    <>
      <Title text="Nodes" />
      {status ? (
        <Table
          label="datanodes"
          columns={columns}
          rows={status.nodes}
          keyOf={({ node }) => node}
          empty={
            <Empty title="No datanode has registered yet">
              Start one with <code>gristmill datanode</code>.
            </Empty>
          }
        />
      ) : (
        <Loading what="the nodes" />
      )}
      {status && status.nodes.length > 1 && <Balance />}
      <ServerLog server="namenode" title="Log of the namenode" />
    </>
  )
}
