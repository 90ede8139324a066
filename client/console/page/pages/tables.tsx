// Tables and views of the catalogue, and one of them with its columns.

import type { CatalogTable, TableSummary } from '../../../../src/protocol/table.ts'
import type { CallReply } from '../../calls.ts'
import { call } from '../api.ts'
import { formatBytes, formatCount, visible } from '../format.ts'
import { Title } from '../parts/shell.tsx'
import { Badge, Facts, Panel, Time } from '../parts/small.tsx'
import { Empty, Shown, slowlyMs, useAsked } from '../parts/states.tsx'
import { Table, type TableColumn } from '../parts/table.tsx'
import { fileUrl } from '../route.ts'

/** More tables are for the command line. */
const pagesMax = 20

async function load(signal: AbortSignal): Promise<TableSummary[]> {
  const found: TableSummary[] = []
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const { tables, next }: CallReply<'table.list'> = await call('table.list', after === undefined ? {} : { after }, signal)
    found.push(...tables)
    after = next
    if (after === undefined) break
  }
  return found
}

function PathLink({ path }: { readonly path: string | undefined }) {
  if (path === undefined) return <>–</>
  const isPattern = /[*?{[]/.test(path)
  return isPattern ? <span class="path">{visible(path)}</span> : <a class="path" href={fileUrl(path)}>{visible(path)}</a>
}

const columns: readonly TableColumn<TableSummary>[] = [
  { title: 'Name', value: ({ name }) => name, cell: ({ name }) => <a href={`/tables/${encodeURIComponent(name)}`}>{visible(name)}</a> },
  { title: 'Kind', value: ({ kind }) => kind, cell: ({ kind }) => <Badge tone={kind === 'view' ? 'busy' : 'dim'}>{kind}</Badge> },
  { title: 'Path', value: ({ path = '' }) => path, cell: ({ path }) => <PathLink path={path} /> },
  { title: 'Owner', wide: true, value: ({ owner }) => owner, cell: ({ owner }) => visible(owner) },
  { title: 'Changed', value: ({ changedMs }) => changedMs, cell: ({ changedMs }) => <Time ms={changedMs} /> },
  { title: 'Comment', wide: true, value: ({ comment = '' }) => comment, cell: ({ comment = '' }) => visible(comment) },
]

export function TablesPage() {
  const asked = useAsked(load, [], slowlyMs)
  return (
    <>
      <Title text="Tables">
        <a href="/sql">SQL</a> <span aria-hidden="true">/</span> Tables
      </Title>
      <Shown asked={asked} what="the tables">
        {tables => (
          <Table
            label="tables"
            columns={columns}
            rows={tables}
            keyOf={({ name }) => name}
            empty={
              <Empty title="The catalogue has no tables">
                <code>CREATE EXTERNAL TABLE name LOCATION '/path'</code> names files;{' '}
                <code>CREATE TABLE name AS SELECT …</code> makes some.
              </Empty>
            }
          />
        )}
      </Shown>
    </>
  )
}

type NamedColumn = CatalogTable['columns'][number] & { readonly number: number; readonly distinct: number | undefined }

const columnColumns: readonly TableColumn<NamedColumn>[] = [
  { title: 'Column', value: ({ name }) => name, cell: ({ name }) => visible(name) },
  { title: 'Type', value: ({ type }) => type, cell: ({ type }) => <span class="mono">{visible(type)}</span> },
  {
    title: 'Distinct values',
    number: true,
    value: ({ distinct }) => distinct,
    cell: ({ distinct }) => (distinct === undefined ? '–' : `about ${formatCount(distinct)}`),
  },
  { title: 'Comment', value: ({ comment = '' }) => comment, cell: ({ comment = '' }) => visible(comment) },
]

export function TablePage({ name }: { readonly name: string }) {
  const asked = useAsked(signal => call('table.get', { names: [name] }, signal), [name], slowlyMs)
  return (
    <>
      <Title
        text={visible(name)}
        actions={
          <a class="button" href={`/sql?q=${encodeURIComponent(`FROM "${name.replaceAll('"', '""')}" LIMIT 100`)}`}>
            Query
          </a>
        }
      >
        <a href="/tables">Tables</a> <span aria-hidden="true">/</span> {visible(name)}
      </Title>
      <Shown asked={asked} what={visible(name)}>
        {({ tables: [table] }) => (table ? <OneTable table={table} /> : <Empty title="There is no such table, or you may not read it" />)}
      </Shown>
    </>
  )
}

function OneTable({ table }: { readonly table: CatalogTable }) {
  const { kind, path, owner, createdMs, changedMs, comment, statistics, sql, partitions, columns: own } = table
  return (
    <>
      <Facts
        facts={[
          ['Kind', kind],
          ['Path', <PathLink path={path} />],
          ['Owner', visible(owner)],
          ['Made', <Time ms={createdMs} />],
          ['Changed', <Time ms={changedMs} />],
          ...(partitions ? [['Partitions', visible(partitions.join(', '))] as const] : []),
          ...(comment === undefined ? [] : [['Comment', visible(comment)] as const]),
          ...(statistics
            ? ([
                ['Rows', formatCount(statistics.rows)],
                ['Size', formatBytes(statistics.bytes)],
                ['Counted', <Time ms={statistics.atMs} />],
              ] as const)
            : []),
        ]}
      />
      {sql !== undefined && (
        <Panel title="Query of the view">
          <pre class="text" tabIndex={0} aria-label="Query of the view">
            {sql}
          </pre>
        </Panel>
      )}
      <Panel title="Columns">
        <Table
          label="columns"
          columns={columnColumns}
          rows={own.map((column, number) => ({ ...column, number, distinct: statistics?.distinct[number] }))}
          keyOf={({ number }) => String(number)}
          fixed
          empty={<Empty title="It has no columns" />}
        />
      </Panel>
    </>
  )
}
