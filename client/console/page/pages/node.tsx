// One datanode: its disks, its service, its log, and the operator's commands.

import type { NodeStatus } from '../../../../src/protocol/admin.ts'
import type { StorageState } from '../../../../src/protocol/heartbeat.ts'
import { call } from '../api.ts'
import { formatBytes, formatCount, formatPercent, plural, visible } from '../format.ts'
import { live } from '../live.ts'
import { ask } from '../parts/dialog.tsx'
import { ServerLog } from '../parts/serverlog.tsx'
import { Title } from '../parts/shell.tsx'
import { Badge, Bar, Facts, Panel, Space, Time } from '../parts/small.tsx'
import { Empty, Loading } from '../parts/states.tsx'
import { Table, type TableColumn } from '../parts/table.tsx'
import { contactOf, StateBadges } from './nodes.tsx'

const columns: readonly TableColumn<StorageState>[] = [
  { title: 'Directory', value: ({ dir }) => dir, cell: ({ dir }) => <span class="path">{visible(dir)}</span> },
  {
    title: 'State',
    value: ({ failed, closed }) => (failed ? 'failed' : closed ? 'read only' : 'good'),
    cell: ({ failed, closed }) => (
      <Badge tone={failed ? 'bad' : closed ? 'warn' : 'good'}>{failed ? 'failed' : closed ? 'read only' : 'good'}</Badge>
    ),
  },
  {
    title: 'In use',
    value: ({ freeBytes, capacityBytes }) => 1 - freeBytes / (capacityBytes || 1),
    cell: storage => <Space {...storage} />,
  },
  { title: 'Blocks', number: true, value: ({ blocks }) => blocks, cell: ({ blocks }) => formatCount(blocks) },
  { title: 'Of blocks', number: true, value: ({ usedBytes }) => usedBytes, cell: ({ usedBytes }) => formatBytes(usedBytes) },
  { title: 'Free', number: true, value: ({ freeBytes }) => freeBytes, cell: ({ freeBytes }) => formatBytes(freeBytes) },
  {
    title: 'Trash',
    number: true,
    wide: true,
    value: ({ trashBytes = 0 }) => trashBytes,
    cell: ({ trashBytes = 0 }) => formatBytes(trashBytes),
  },
  {
    title: 'Quarantined',
    number: true,
    wide: true,
    value: ({ quarantined = 0 }) => quarantined,
    cell: ({ quarantined = 0 }) => formatCount(quarantined),
  },
]

export function NodePage({ id }: { readonly id: string }) {
  const { status } = live.value
  if (!status)
    return (
      <>
        <Title text="Node" />
        <Loading what="the node" />
      </>
    )
  const node = status.nodes.find(each => each.node === id)
  if (!node)
    return (
      <>
        <Title text="Node" />
        <Empty title="There is no such datanode">
          The namenode knows no datanode {visible(id)}. <a href="/nodes">All nodes</a>
        </Empty>
      </>
    )
  return (
    <>
      <Title text={`Node ${node.address}`} actions={<Actions node={node} />}>
        <a href="/nodes">Nodes</a> <span aria-hidden="true">/</span> {visible(node.address)}
      </Title>
      <Facts
        facts={[
          ['State', <StateBadges node={node} />],
          ['Last contact', contactOf(node)],
          ['Host', visible(node.host)],
          ['Rack', visible(node.rack)],
          ['Tasks', `${node.running} of ${plural(node.slots, 'slot')}`],
          ['Transfers', formatCount(node.transfers)],
          ...(node.done
            ? ([
                ['Blocks sent to readers since its start', formatBytes(node.done.readBytes)],
                ['Blocks written since its start', formatBytes(node.done.writtenBytes)],
                ['Tasks ended since its start', formatCount(node.done.attempts)],
              ] as const)
            : []),
          ['Blocks', formatCount(node.blocks)],
          ['Version', node.version],
          ['Process', String(node.pid)],
          ['Id', <span class="mono">{node.node}</span>],
        ]}
      />
      <Service node={node} />
      <Panel title="Disks">
        <Table
          label="disks"
          columns={columns}
          rows={node.storages}
          keyOf={storage => storage.id}
          empty={<Empty title="It has reported no disks" />}
        />
      </Panel>
      <ServerLog server={node.node} title="Log" />
    </>
  )
}

function Service({ node: { service, serviceUntilMs, held } }: { readonly node: NodeStatus }) {
  if (service === undefined || service === 'in-service') return null
  const done = held ? held.blocks - held.remaining : 0
  return (
    <div class="banner" role="status">
      <strong>{service}</strong>
      {serviceUntilMs !== undefined && (
        <>
          {' '}
          until <Time ms={serviceUntilMs} />
        </>
      )}
      {held && (
        <>
          {' '}
          ·{' '}
          <span class="with-bar">
            <Bar part={done} whole={held.blocks} label={`${formatPercent(done, held.blocks)} of its blocks are elsewhere`} />
            {plural(held.remaining, 'block')} of {formatCount(held.blocks)} still without enough replicas elsewhere
            {held.short ? `; ${plural(held.short, 'block')} cannot get them: there are too few datanodes` : ''}
          </span>
        </>
      )}
    </div>
  )
}

function Actions({ node: { node, address, service = 'in-service' } }: { readonly node: NodeStatus }) {
  const place = visible(address)
  if (service !== 'in-service')
    return (
      <button
        type="button"
        onClick={() =>
          ask({
            title: `Put ${place} back into service?`,
            text: 'It gets new blocks and tasks again.',
            action: 'Put into service',
            run: async () => {
              await call('service.recommission', { node })
              return `${place} is in service`
            },
          })
        }
      >
        Put into service
      </button>
    )
  return (
    <>
      <button
        type="button"
        onClick={() =>
          ask({
            title: `Maintenance of ${place}`,
            text: 'For this time it may be away, and its blocks are not copied elsewhere.',
            action: 'Begin',
            input: { label: 'Minutes', value: '60' },
            run: async minutes => {
              const forMs = Number(minutes) * 60_000
              if (!Number.isFinite(forMs) || forMs < 60_000) throw new Error('Write a number of minutes, 1 or more.')
              await call('service.maintenance', { node, forMs: Math.round(forMs) })
              return `${place} is in maintenance`
            },
          })
        }
      >
        Maintenance…
      </button>
      <button
        type="button"
        class="danger"
        onClick={() =>
          ask({
            title: `Decommission ${place}?`,
            text: 'Its blocks are copied to other datanodes; then it may be switched off.',
            action: 'Decommission',
            danger: true,
            run: async () => {
              await call('service.decommission', { node })
              return `${place} is being decommissioned`
            },
          })
        }
      >
        Decommission…
      </button>
    </>
  )
}
