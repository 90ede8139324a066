// Preview of a Parquet file: its schema and row groups out of its footer, and its first rows by a query.

import { useEffect, useState } from 'preact/hooks'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import type { Answers } from '../../questions.ts'
import { askFor } from '../api.ts'
import { formatBytes, formatCount, plural, visible } from '../format.ts'
import { emptyAnswer, runSql, type SqlAnswer } from '../sqlrun.ts'
import { ResultRows } from './sqlresult.tsx'
import { Facts } from './small.tsx'
import { Failed, Loading, Shown, useAsked } from './states.tsx'
import { Table, type TableColumn } from './table.tsx'
import { Views, viewOf } from './views.tsx'

type Parquet = Answers['parquet']
type Group = Parquet['groups'][number] & { readonly number: number }
type Column = Parquet['columns'][number] & { readonly number: number }

const rowsShown = 100
const views = [['rows', 'First rows'], ['schema', 'Schema'], ['groups', 'Row groups']] as const

const columnColumns: readonly TableColumn<Column>[] = [
  {
    title: 'Column',
    value: ({ name }) => name,
    cell: ({ name, depth }) => (
      <>
        <span class="dim" aria-hidden="true">
          {'· '.repeat(depth)}
        </span>
        {visible(name)}
      </>
    ),
  },
  { title: 'Type', value: ({ type }) => type, cell: ({ type }) => <span class="mono">{visible(type)}</span> },
]

const groupColumns: readonly TableColumn<Group>[] = [
  { title: 'Row group', number: true, value: ({ number }) => number, cell: ({ number }) => formatCount(number) },
  { title: 'Rows', number: true, value: ({ rows }) => rows, cell: ({ rows }) => formatCount(rows) },
  { title: 'In the file', number: true, value: ({ packedBytes }) => packedBytes, cell: ({ packedBytes }) => formatBytes(packedBytes) },
  { title: 'Decompressed', number: true, value: ({ bytes }) => bytes, cell: ({ bytes }) => formatBytes(bytes) },
  { title: 'Compression', value: ({ codecs }) => codecs, cell: ({ codecs }) => visible(codecs) },
]

export function ParquetPreview({ status }: { readonly status: FileStatus }) {
  const { path, id } = status
  const asked = useAsked(signal => askFor('parquet', { path }, signal), [path, id])
  return (
    <Shown asked={asked} what="the footer of the file">
      {({ rows, columns, groups, groupCount, writer }) => (
        <>
          <Facts
            facts={[
              ['Rows', formatCount(rows)],
              ['Row groups', formatCount(groupCount)],
              ['Columns', formatCount(columns.filter(({ depth }) => depth === 0).length)],
              ['Written by', visible(writer)],
            ]}
          />
          <Views label="Parts of the Parquet file" views={views} name="part" />
          <Part path={path} columns={columns} groups={groups} cut={groupCount > groups.length} />
        </>
      )}
    </Shown>
  )
}

interface PartProps extends Pick<Parquet, 'columns' | 'groups'> {
  readonly path: string
  readonly cut: boolean
}

function Part({ path, columns, groups, cut }: PartProps) {
  switch (viewOf(views, 'part')) {
    case 'schema':
      return (
        <Table
          label="schema"
          columns={columnColumns}
          rows={columns.map((column, number) => ({ ...column, number }))}
          keyOf={({ number }) => String(number)}
          fixed
          empty={<p class="dim">It has no columns.</p>}
        />
      )
    case 'groups':
      return (
        <Table
          label="row groups"
          columns={groupColumns}
          rows={groups.map((group, number) => ({ ...group, number }))}
          keyOf={({ number }) => String(number)}
          empty={<p class="dim">It has no row groups.</p>}
          {...(cut && { more: `The first ${plural(groups.length, 'row group')}` })}
        />
      )
    default:
      return <FirstRows path={path} />
  }
}

function FirstRows({ path }: { readonly path: string }) {
  const [answer, setAnswer] = useState<SqlAnswer>(emptyAnswer)
  useEffect(() => {
    const ending = new AbortController()
    void runSql(`SELECT * FROM '${path.replaceAll("'", "''")}' LIMIT ${rowsShown}`, ending.signal, next => {
      if (!ending.signal.aborted) setAnswer(next)
    })
    return () => ending.abort()
  }, [path])
  if (answer.error !== undefined) return <Failed error={new Error(answer.error)} />
  return answer.state === 'running' ? <Loading what="the first rows" /> : <ResultRows answer={answer} />
}
