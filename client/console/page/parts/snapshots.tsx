// Snapshots of a directory: list, take, remove, and what has changed since.

import { useState } from 'preact/hooks'
import type { Snapshot } from '../../../../src/protocol/snapshot.ts'
import type { CallReply } from '../../calls.ts'
import { askFor, call } from '../api.ts'
import { plural, visible } from '../format.ts'
import { fileUrl } from '../route.ts'
import { ask } from './dialog.tsx'
import { Badge, Time } from './small.tsx'
import { Empty, Shown, slowlyMs, useAsked } from './states.tsx'
import { Table, type TableColumn } from './table.tsx'

async function load(path: string, signal: AbortSignal): Promise<Snapshot[]> {
  const found: Snapshot[] = []
  let after: string | undefined
  do {
    const page: CallReply<'snapshot.list'> = await call('snapshot.list', { path, ...(after !== undefined && { after }) }, signal)
    found.push(...page.snapshots)
    after = page.next
  } while (after !== undefined)
  return found
}

function take(path: string, done: () => void): void {
  ask({
    title: 'Take a snapshot',
    text: `${visible(path)} as it is now can be read below .snapshot, whatever happens to it later.`,
    action: 'Take',
    input: { label: 'Name', value: new Date().toISOString().slice(0, 16).replaceAll(':', '') },
    run: async name => {
      await call('snapshot.create', { path, name })
      done()
      return `Took the snapshot ${visible(name)}`
    },
  })
}

function remove(path: string, name: string, done: () => void): void {
  ask({
    title: `Remove the snapshot ${visible(name)}?`,
    text: 'What only it holds is freed, and cannot be brought back.',
    action: 'Remove',
    danger: true,
    run: async () => {
      await call('snapshot.remove', { path, name })
      done()
      return `Removed the snapshot ${visible(name)}`
    },
  })
}

const columnsFor = (reload: () => void, compare: (name: string) => void): readonly TableColumn<Snapshot>[] => [
  {
    title: 'Snapshot',
    value: ({ name }) => name,
    cell: ({ path, name }) => <a href={fileUrl(`${path === '/' ? '' : path}/.snapshot/${name}`)}>{visible(name)}</a>,
  },
  { title: 'Taken', value: ({ createdMs }) => createdMs, cell: ({ createdMs }) => <Time ms={createdMs} /> },
  { title: 'By', value: ({ owner }) => owner, cell: ({ owner }) => visible(owner) },
  {
    title: 'Actions',
    actions: true,
    value: () => undefined,
    cell: ({ path, name }) => (
      <>
        <button type="button" class="quiet" onClick={() => compare(name)}>
          Changes since<span class="sr"> {visible(name)}</span>
        </button>
        <button type="button" class="quiet" onClick={() => remove(path, name, reload)}>
          Remove<span class="sr"> {visible(name)}</span>…
        </button>
      </>
    ),
  },
]

export function SnapshotList({ path }: { readonly path: string }) {
  const asked = useAsked(signal => load(path, signal), [path], slowlyMs)
  const [chosen, setChosen] = useState<string | undefined>(undefined)
  return (
    <Shown asked={asked} what="the snapshots">
      {snapshots => (
        <>
          <p>
            <button type="button" onClick={() => take(path, asked.reload)}>
              Take a snapshot…
            </button>
          </p>
          {chosen !== undefined && <Changes key={chosen} path={path} name={chosen} />}
          <Table
            label="snapshots"
            columns={columnsFor(asked.reload, setChosen)}
            rows={snapshots}
            keyOf={({ name }) => name}
            empty={<Empty title="There is no snapshot of this directory">A snapshot takes no space until something changes.</Empty>}
          />
        </>
      )}
    </Shown>
  )
}

const tones = { created: 'good', deleted: 'bad', modified: 'warn', renamed: 'busy' } as const

function Changes({ path, name }: { readonly path: string; readonly name: string }) {
  const asked = useAsked(signal => askFor('snapshot', { path, name }, signal), [path, name])
  return (
    <section class="details" aria-label={`Changes since ${visible(name)}`}>
      <h3>Changes since {visible(name)}</h3>
      <Shown asked={asked} what="the changes">
        {({ entries, cut }) =>
          entries.length === 0 ? (
            <p class="dim">Nothing has changed.</p>
          ) : (
            <>
              <p class="dim">{cut ? `The first ${plural(entries.length, 'change')}; there are more.` : plural(entries.length, 'change')}</p>
              <ul class="changes">
                {entries.map((entry, i) => (
                  <li key={i}>
                    <Badge tone={tones[entry.kind]}>{entry.kind}</Badge> <span class="path">{visible(entry.path)}</span>
                    {entry.from !== undefined && <span class="dim"> was {visible(entry.from)}</span>}
                  </li>
                ))}
              </ul>
            </>
          )
        }
      </Shown>
    </section>
  )
}
