// Tables: sorted by a click on a column, copied as CSV, and of any length: beyond some hundred rows only those in view are in the document.
// REQUIRES: all rows of a long table have the same height.

import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { copyText } from '../clipboard.ts'
import { csvOf } from '../csv.ts'
import { plural } from '../format.ts'
import { tell } from './dialog.tsx'

export interface TableColumn<T> {
  readonly title: string
  /** Shown when the mouse rests on the title. */
  readonly hint?: string | undefined
  readonly cell: (row: T) => ComponentChildren
  /** Value for CSV, and for sorting unless there is an `order`; nothing where the table shows none. */
  readonly value: (row: T) => string | number | undefined
  readonly order?: ((row: T) => string | number | undefined) | undefined
  /** Order of two texts of `order`; default: that of words. */
  readonly compare?: ((a: string, b: string) => number) | undefined
  /** Numbers are aligned at the right. */
  readonly number?: boolean
  /** Hidden on narrow screens. */
  readonly wide?: boolean
  /** Buttons: it is neither sorted by nor copied. */
  readonly actions?: boolean
}

interface TableProps<T> {
  readonly label: string
  readonly columns: readonly TableColumn<T>[]
  readonly rows: readonly T[]
  readonly keyOf: (row: T) => string
  readonly empty: ComponentChildren
  /** PreviewRows come in an order of their own, which a sort of a part would hide. */
  readonly fixed?: boolean
  /** Called when the last rows come into view. */
  readonly onEnd?: (() => void) | undefined
  /** PreviewRows that are shown, if there are more. */
  readonly more?: string | undefined
}

const rowPixels = 37
const wholeMax = 200
const beyond = 12

export function Table<T>(props: TableProps<T>) {
  const { label, columns, rows, empty, fixed = false, more } = props
  const [sort, setSort] = useState<{ readonly column: number; readonly down: boolean } | undefined>(undefined)
  const sorted = useMemo(() => (sort === undefined ? rows : sortRows(rows, columns[sort.column]!, sort.down)), [rows, columns, sort])
  if (rows.length === 0) return <>{empty}</>
  const turn = (column: number): void => setSort(last => (last?.column === column ? { column, down: !last.down } : { column, down: false }))
  return (
    <div class="table">
      <div class="table-bar">
        <span class="dim">{more ?? plural(rows.length, 'row')}</span>
        <button type="button" class="quiet" onClick={() => void copy(columns, sorted, label)}>
          Copy as CSV
        </button>
      </div>
      <Body
        {...props}
        rows={sorted}
        head={
          <thead>
            <tr>
              {columns.map(({ title, hint, number, wide, actions }, i) => {
                const order = sort?.column === i ? (sort.down ? 'descending' : 'ascending') : undefined
                return (
                  <th key={title} scope="col" title={hint} class={classOf({ number, wide })} aria-sort={order}>
                    {fixed || actions ? (
                      title
                    ) : (
                      <button type="button" onClick={() => turn(i)}>
                        {title}
                        <span aria-hidden="true">{order === undefined ? '' : order === 'ascending' ? ' ↑' : ' ↓'}</span>
                      </button>
                    )}
                  </th>
                )
              })}
            </tr>
          </thead>
        }
      />
    </div>
  )
}

function Body<T>({ label, columns, rows, keyOf, onEnd, head }: TableProps<T> & { readonly head: ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null)
  useFocusKept(box)
  const [view, setView] = useState({ top: 0, height: 800 })
  const long = rows.length > wholeMax
  const from = long ? Math.max(0, Math.floor(view.top / rowPixels) - beyond) : 0
  const to = long ? Math.min(rows.length, Math.ceil((view.top + view.height) / rowPixels) + beyond) : rows.length
  useEffect(() => {
    if (to >= rows.length - beyond) onEnd?.()
  }, [to, rows.length, onEnd])
  const look = (): void => {
    const { scrollTop: top, clientHeight: height } = box.current!
    setView({ top, height })
  }
  useEffect(look, [long])
  return (
    <div
      ref={box}
      class={long ? 'scroll scroll-long' : 'scroll'}
      tabIndex={0}
      role="group"
      aria-label={label}
      onScroll={long || onEnd ? look : undefined}
    >
      <table aria-label={label} aria-rowcount={long ? rows.length + 1 : undefined}>
        {head}
        <tbody>
          {from > 0 && (
            <tr class="space" aria-hidden="true">
              <td colSpan={columns.length} style={{ height: `${from * rowPixels}px` }} />
            </tr>
          )}
          {rows.slice(from, to).map((row, i) => (
            <tr key={keyOf(row)} aria-rowindex={long ? from + i + 2 : undefined}>
              {columns.map(column => (
                <td key={column.title} class={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          {to < rows.length && (
            <tr class="space" aria-hidden="true">
              <td colSpan={columns.length} style={{ height: `${(rows.length - to) * rowPixels}px` }} />
            </tr>
          )}
        </tbody>
      </table>
    </div>
  )
}

/** A row that goes away with the focus gives it to the table, and not to the top of the page. */
function useFocusKept(box: { readonly current: HTMLElement | null }): void {
  const had = box.current?.contains(document.activeElement) === true
  useLayoutEffect(() => {
    if (had && document.activeElement === document.body) (box.current ?? document.getElementById('main'))?.focus()
  })
  useEffect(() => () => { if (document.activeElement === document.body) document.getElementById('main')?.focus() }, [])
}

const classOf = ({ number, wide }: { readonly number?: boolean | undefined; readonly wide?: boolean | undefined }): string | undefined =>
  [number && 'number', wide && 'wide'].filter(Boolean).join(' ') || undefined

const inWords = (a: string, b: string): number => a.localeCompare(b)

function sortRows<T>(rows: readonly T[], { value, order = value, compare = inWords }: TableColumn<T>, down: boolean): readonly T[] {
  const keyed = rows.map(row => ({ row, key: order(row) }))
  keyed.sort(({ key: a }, { key: b }) => {
    if (a === undefined || b === undefined) return Number(b === undefined) - Number(a === undefined)
    return typeof a === 'number' && typeof b === 'number' ? a - b : compare(String(a), String(b))
  })
  if (down) keyed.reverse()
  return keyed.map(({ row }) => row)
}

async function copy<T>(columns: readonly TableColumn<T>[], rows: readonly T[], label: string): Promise<void> {
  try {
    await copyText(csvOf(columns.filter(({ actions }) => !actions), rows))
    tell(`Copied ${plural(rows.length, 'row')} of ${label.replace(/^rows of /, '')}`)
  } catch {
    tell('The browser does not let the page copy: open the console at localhost, or over HTTPS', true)
  }
}
