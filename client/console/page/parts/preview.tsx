// The first bytes of a file, as rows or as text; pictures as pictures.
// INVARIANT: what is in a file is shown as text: it is never taken for HTML.

import { useState } from 'preact/hooks'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import { contentUrl, fetchBytes } from '../api.ts'
import { formatBytes, formatCount, plural, visible } from '../format.ts'
import { columnsText, rowsOf, type PreviewRows } from '../rows.ts'
import { ParquetPreview } from './parquet.tsx'
import { Empty, Shown, useAsked } from './states.tsx'
import { Table, type TableColumn } from './table.tsx'

const picture = /\.(png|jpe?g|gif|webp|avif)$/i

export function Preview({ status }: { readonly status: FileStatus }) {
  if (status.length === 0) return <Empty title="The file is empty" />
  if (picture.test(status.path)) return <Picture key={`${status.id} ${status.mtimeMs}`} status={status} />
  if (/\.parquet$/i.test(status.path)) return <ParquetPreview status={status} />
  return <Head status={status} />
}

function Picture({ status: { path } }: { readonly status: FileStatus }) {
  const [failed, setFailed] = useState(false)
  if (failed)
    return <Empty title="The picture cannot be shown">It is damaged, larger than 16 MiB, or in another format than its name says.</Empty>
  return (
    <p>
      <img class="picture" src={contentUrl(path, 'image')} alt={`Contents of ${visible(path)}`} onError={() => setFailed(true)} />
    </p>
  )
}

function Head({ status }: { readonly status: FileStatus }) {
  const { path, id, length, mtimeMs } = status
  const asked = useAsked(signal => fetchBytes(contentUrl(path, 'head'), signal), [path, id, length, mtimeMs])
  return (
    <Shown asked={asked} what="the first bytes">
      {bytes => {
        const whole = bytes.length >= status.length
        const found = rowsOf(bytes, { path: status.path, delimiter: status.delimiter, header: status.header, whole })
        const note = whole ? '' : `The first ${formatBytes(bytes.length)} of the file. `
        if (found.kind === 'binary') return <Empty title="The file is not text">{found.why} Download it to open it.</Empty>
        if (found.kind === 'text')
          return (
            <>
              {note !== '' && <p class="dim">{note}</p>}
              <pre class="text" tabIndex={0} aria-label="First lines of the file">
                {found.text}
              </pre>
            </>
          )
        return <RowTable rows={found} note={note} />
      }}
    </Shown>
  )
}

function RowTable({ rows: { columns, rows, bad, cut, left }, note }: { readonly rows: PreviewRows; readonly note: string }) {
  const keyed = rows.map((row, number) => ({ row, number: number + 1 }))
  type Numbered = (typeof keyed)[number]
  const shown: TableColumn<Numbered>[] = [
    { title: '#', number: true, value: ({ number }) => number, cell: ({ number }) => <span class="dim">{formatCount(number)}</span> },
    ...columns.map((title, i): TableColumn<Numbered> => ({
      title: visible(title),
      value: ({ row }) => row[i] ?? '',
      cell: ({ row }) => (
        <span class="cell" title={row[i]}>
          {visible(row[i] ?? '')}
        </span>
      ),
    })),
  ]
  const malformed = bad > 0 ? `, ${formatCount(bad)} malformed ones as text` : ''
  return (
    <>
      <Table
        label="rows"
        columns={shown}
        rows={keyed}
        keyOf={({ number }) => String(number)}
        fixed
        empty={<Empty title="There are no rows" />}
        more={`${cut ? 'The first ' : note}${plural(rows.length, 'row')}${malformed}${columnsText(columns.length, left)}`}
      />
    </>
  )
}
