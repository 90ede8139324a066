// The user's trash: what was removed, and restoring it.

import type { TrashItem } from '../../../../src/protocol/trash.ts'
import { call } from '../api.ts'
import { baseName, formatBytes, plural, visible } from '../format.ts'
import { ask } from '../parts/dialog.tsx'
import { Title } from '../parts/shell.tsx'
import { Time } from '../parts/small.tsx'
import { Empty, Shown, slowlyMs, useAsked } from '../parts/states.tsx'
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
    title: 'Actions',
    actions: true,
    value: () => undefined,
    cell: ({ item, from }) => (
      <button
        type="button"
        class="quiet"
        aria-label={`Restore ${visible(from)}`}
        onClick={() =>
          ask({
            title: `Restore ${visible(baseName(from))}?`,
            text: 'It comes back at its place, or at another path. Nothing is replaced.',
            action: 'Restore',
            input: { label: 'Path', value: from },
            run: async to => {
              const { path } = await call('trash.restore', { item, ...(to !== from && { to }) })
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

/** Deletes what was in the trash when it began, page by page. */
async function empty(): Promise<number> {
  let count = 0
  let more: { readonly beforeMs: number; readonly from?: string } | undefined
  do {
    const { removed, beforeMs, next } = await call('trash.empty', more ?? {})
    count += removed
    more = next === undefined ? undefined : { beforeMs, from: next }
  } while (more !== undefined)
  return count
}

const askToEmpty = (done: () => void): void =>
  ask({
    title: 'Empty your trash?',
    text: 'Everything in it is deleted for good, and cannot be restored.',
    action: 'Delete for good',
    danger: true,
    run: async () => {
      const count = await empty().finally(done)
      return `Deleted ${plural(count, 'entry', 'entries')} for good`
    },
  })

export function TrashPage() {
  const asked = useAsked(load, [], slowlyMs)
  return (
    <>
      <Title
        text="Trash"
        actions={
          asked.data !== undefined &&
          asked.data.length > 0 && (
            <button type="button" class="danger" onClick={() => askToEmpty(asked.reload)}>
              Empty…
            </button>
          )
        }
      >
        <a href="/files/">Files</a> <span aria-hidden="true">/</span> Trash
      </Title>
      <p class="dim">What you remove stays here for a day, or as long as the cluster keeps it (trashKeep), and is deleted for good then.</p>
      <Shown asked={asked} what="the trash">
        {items => (
          <Table
            label="trash"
            columns={columnsWith(asked.reload)}
            rows={items}
            keyOf={({ item }) => item}
            empty={<Empty title="Your trash is empty" />}
          />
        )}
      </Shown>
    </>
  )
}
