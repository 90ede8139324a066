// The user's trash: what was removed, and restoring it.

import type { TrashItem } from '../../../../src/protocol/trash.ts'
import { call } from '../api.ts'
import { formatBytes, visible } from '../format.ts'
import { ask } from '../parts/dialog.tsx'
import { Title } from '../parts/shell.tsx'
import { Time } from '../parts/small.tsx'
import { Empty, Shown, useAsked } from '../parts/states.tsx'
import { Table, type TableColumn } from '../parts/table.tsx'

/** Trash of more pages is for the command line. */
const pagesMax = 20

async function load(signal: AbortSignal): Promise<TrashItem[]> {
  const items: TrashItem[] = []
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const reply = await call('trash.list', after === undefined ? {} : { after }, signal)
    items.push(...reply.items)
    after = reply.next
    if (after === undefined) break
  }
  return items
}

const columnsWith = (reload: () => void): readonly TableColumn<TrashItem>[] => [
  { title: 'Was at', value: ({ from }) => from, cell: ({ from }) => <span class="path">{visible(from)}</span> },
  { title: 'Kind', value: ({ type }) => type, cell: ({ type }) => type },
  {
    title: 'Size',
    number: true,
    value: ({ type, length }) => (type === 'file' ? length : undefined),
    cell: ({ type, length }) => (type === 'file' ? formatBytes(length) : '–'),
  },
  { title: 'Removed', value: ({ removedMs }) => removedMs, cell: ({ removedMs }) => <Time ms={removedMs} /> },
  {
    title: 'Restore',
    value: ({ item }) => item,
    cell: ({ item, from }) => (
      <button
        type="button"
        class="quiet"
        aria-label={`Restore ${visible(from)}`}
        onClick={() =>
          ask({
            title: 'Restore it?',
            text: `${visible(from)} comes back at its place.`,
            action: 'Restore',
            run: async () => {
              const { path } = await call('trash.restore', { item })
              reload()
              return `Restored ${visible(path)}`
            },
          })
        }
      >
        Restore
      </button>
    ),
  },
]

export function TrashPage() {
  const asked = useAsked(load, [])
  return (
    <>
      <Title text="Trash">
        <a href="/files/">Files</a> <span aria-hidden="true">/</span> Trash
      </Title>
      <Shown asked={asked} what="the trash">
        {items => (
          <Table
            label="trash"
            columns={columnsWith(asked.reload)}
            rows={items}
            keyOf={({ item }) => item}
            empty={<Empty title="Your trash is empty">What you remove stays here for a while.</Empty>}
          />
        )}
      </Shown>
    </>
  )
}
