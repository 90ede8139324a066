// One file: what it is, its blocks and the nodes that hold them, and a preview.

import type { FileStatus, LocatedBlock } from '../../../../src/protocol/namespace.ts'
import { call } from '../api.ts'
import { formatBytes, formatCount, formatMode, plural, visible } from '../format.ts'
import { replicasKey, standOf } from '../holders.ts'
import { live } from '../live.ts'
import { Badge, Facts, Panel, Time } from '../parts/small.tsx'
import { Empty, Shown, useAsked } from '../parts/states.tsx'
import { Table, type TableColumn } from '../parts/table.tsx'
import { BlockMap } from '../parts/blockmap.tsx'
import { AttributeList } from '../parts/attributes.tsx'
import { LineageView } from '../parts/lineage.tsx'
import { Preview } from '../parts/preview.tsx'
import { Views, viewOf } from '../parts/views.tsx'

const views = [['contents', 'Contents'], ['lineage', 'Lineage'], ['attributes', 'Owner and attributes']] as const

interface FileViewProps {
  readonly status: FileStatus
  readonly reload: () => void
}

function View({ status, reload }: FileViewProps) {
  switch (viewOf(views)) {
    case 'lineage':
      return (
        <Panel title="Lineage">
          <LineageView path={status.path} isOutput={false} />
        </Panel>
      )
    case 'attributes':
      return (
        <Panel title="Owner and attributes">
          <AttributeList status={status} reload={reload} />
        </Panel>
      )
    default:
      return (
        <>
          <Panel title="Preview">
            <Preview status={status} />
          </Panel>
          {!status.inlined && status.blocks > 0 && <Blocks status={status} />}
        </>
      )
  }
}

export function FileView({ status, reload }: FileViewProps) {
  return (
    <>
      <Facts
        facts={[
          ['Size', `${formatBytes(status.length)} (${plural(status.length, 'byte')})`],
          ['Format', status.format],
          ['Modified', <Time ms={status.mtimeMs} />],
          ['Owner', `${visible(status.owner)}:${visible(status.group)}`],
          ['Mode', <span class="mono">{formatMode(status)}</span>],
          ['Replicas', formatCount(status.replication)],
          [
            'Blocks',
            status.inlined
              ? 'none: the namenode holds its bytes'
              : `${formatCount(status.blocks)} of at most ${formatBytes(status.blockBytes)}`,
          ],
          ['Inode', <span class="mono">{String(status.id)}</span>],
        ]}
      />
      <Views label="Views of the file" views={views} />
      <View status={status} reload={reload} />
    </>
  )
}

/** More blocks than a person reads; those beyond are counted. */
const blocksMax = 5_000

async function blocksOf(path: string, signal: AbortSignal): Promise<LocatedBlock[]> {
  const blocks: LocatedBlock[] = []
  for (let offset: number | undefined = 0; offset !== undefined && blocks.length < blocksMax;) {
    const page: { blocks: LocatedBlock[]; next?: number | undefined } = await call('namespace.locate', { path, offset }, signal)
    blocks.push(...page.blocks)
    offset = page.next
  }
  return blocks.slice(0, blocksMax)
}

const columnsFor = (target: number): readonly TableColumn<LocatedBlock>[] => [
  { title: 'Block', value: ({ id }) => id, cell: ({ id }) => <span class="mono">{id.toString(16).padStart(16, '0')}</span> },
  { title: 'Offset', number: true, value: ({ offset }) => offset, cell: ({ offset }) => formatBytes(offset) },
  { title: 'Size', number: true, value: ({ length }) => length, cell: ({ length }) => formatBytes(length) },
  {
    title: 'Replicas',
    value: ({ nodes }) => nodes.length,
    cell: ({ length, nodes }) => (
      <Badge tone={standOf({ length, nodes }, target)}>
        {nodes.length} of {target}
      </Badge>
    ),
  },
  {
    title: 'Nodes',
    value: ({ nodes }) => nodes.map(({ address }) => address).join(' '),
    cell: ({ nodes }) =>
      nodes.length === 0
        ? 'none is live'
        : nodes.map(({ node, address }) => (
            <a key={node} class="chip" href={`/nodes/${node}`}>
              {visible(address)}
            </a>
          )),
  },
  {
    title: 'CRC32C',
    wide: true,
    value: ({ crc }) => crc,
    cell: ({ crc }) => <span class="mono">{(crc >>> 0).toString(16).padStart(8, '0')}</span>,
  },
]

function Blocks({ status: { path, id, replication, blocks: of } }: { readonly status: FileStatus }) {
  // Asked again when nodes come or go, and when copies have been made.
  const { status } = live.value
  const asked = useAsked(signal => blocksOf(path, signal), [path, id, replication, status && replicasKey(status)])
  return (
    <Panel title="Blocks">
      <Shown asked={asked} what="the blocks">
        {blocks => (
          <>
            <BlockMap blocks={blocks} of={of} target={replication} />
            <Table
              label="blocks"
              columns={columnsFor(replication)}
              rows={blocks}
              more={of > blocks.length ? `The first ${formatCount(blocks.length)} of ${plural(of, 'block')}` : undefined}
              keyOf={block => String(block.id)}
              fixed
              empty={<Empty title="The file has no blocks" />}
            />
          </>
        )}
      </Shown>
    </Panel>
  )
}
