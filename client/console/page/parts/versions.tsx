// Versions of a job's output: who made which, the difference of two, and rolling back.

import { useState } from 'preact/hooks'
import type { Version } from '../../../../src/protocol/version.ts'
import type { CallReply } from '../../calls.ts'
import { askFor, call, CallError } from '../api.ts'
import { differingLines } from '../differingrows.ts'
import { formatBytes, formatCount, plural, visible } from '../format.ts'
import { fileUrl } from '../route.ts'
import { ask } from './dialog.tsx'
import { Badge, Time } from './small.tsx'
import { Empty, Shown, slowlyMs, useAsked } from './states.tsx'
import { Table, type TableColumn } from './table.tsx'

interface History {
  /** Path of the output, without a version. */
  readonly output: string
  readonly versions: readonly Version[]
}

async function historyOf(path: string, signal: AbortSignal): Promise<History> {
  const versions: Version[] = []
  let before: number | undefined
  do {
    const page: CallReply<'version.list'> = await call('version.list', { path, ...(before !== undefined && { before }) }, signal)
    versions.push(...page.versions)
    before = page.next
  } while (before !== undefined)
  return { output: path, versions }
}

/** Versions of PATH, or of PATH for PATH@VERSION. */
async function load(path: string, signal: AbortSignal): Promise<History> {
  const output = path.replace(/@[^/@]+$/, '')
  try {
    return await historyOf(path, signal)
  } catch (error) {
    if (output === path || !(error instanceof CallError) || (error.code !== 'ENOENT' && error.code !== 'EINVAL')) throw error
    return historyOf(output, signal)
  }
}

function rollBack(output: string, { number }: Version, done: () => void): void {
  ask({
    title: `Roll back to version ${number}?`,
    text: `Its contents become the newest version of ${visible(output)}. What is the newest now stays as a version.`,
    action: 'Roll back',
    run: async () => {
      const { version } = await call('version.rollback', { path: output, to: String(number) })
      done()
      return `${visible(output)} is version ${version}, with the contents of version ${number}`
    },
  })
}

function tagIt(output: string, { number, tag }: Version, done: () => void): void {
  ask({
    title: `Tag of version ${number}`,
    text: 'A version with a tag is not freed, and is read under this name as well. A dash (-) removes the tag.',
    action: 'Set',
    input: { label: 'Tag, or - for none', value: tag ?? '' },
    run: async text => {
      await call('version.tag', { path: output, version: String(number), ...(text !== '-' && { tag: text }) })
      done()
      return undefined
    },
  })
}

interface Chosen {
  readonly from: number
  readonly to: number
}

const overruled = 'published despite its check'

const columnsFor = (output: string, reload: () => void, compare: (chosen: Chosen) => void): readonly TableColumn<Version>[] => [
  {
    title: 'Version',
    number: true,
    value: ({ number }) => number,
    cell: ({ number }) => <a href={fileUrl(`${output}@${number}`)}>{number}</a>,
  },
  { title: 'Published', value: ({ madeMs }) => madeMs, cell: ({ madeMs }) => <Time ms={madeMs} /> },
  { title: 'By', wide: true, value: ({ user }) => user, cell: ({ user }) => visible(user) },
  {
    title: 'Job',
    value: ({ job }) => job ?? '',
    cell: ({ job }) => (job === undefined ? '–' : <a class="mono" href={`/jobs/${job}`}>{job}</a>),
  },
  { title: 'Rows', number: true, value: ({ rows }) => rows, cell: ({ rows }) => (rows === undefined ? '–' : formatCount(rows)) },
  {
    title: 'Size',
    number: true,
    value: ({ bytes }) => bytes,
    cell: ({ bytes }) => (bytes === undefined ? '–' : formatBytes(bytes)),
  },
  {
    title: 'Remarks',
    value: ({ head, tag, from, check }) =>
      [
        ...(head ? ['newest'] : []),
        ...(tag === undefined ? [] : [tag]),
        ...(from === undefined ? [] : [`contents of ${from}`]),
        ...(check === 'overruled' ? [overruled] : []),
      ].join(', '),
    cell: ({ head, tag, from, check }) => (
      <>
        {head && <Badge tone="good">newest</Badge>} {tag !== undefined && <Badge tone="busy">{visible(tag)}</Badge>}{' '}
        {from !== undefined && <span class="dim">contents of {from}</span>}{' '}
        {check === 'overruled' && <Badge tone="warn">{overruled}</Badge>}
      </>
    ),
  },
  {
    title: 'Actions',
    actions: true,
    value: () => undefined,
    cell: version => (
      <>
        {version.number > 1 && (
          <button type="button" class="quiet" onClick={() => compare({ from: version.number - 1, to: version.number })}>
            Changes<span class="sr"> of version {version.number}</span>
          </button>
        )}
        {!version.head && (
          <button type="button" class="quiet" onClick={() => rollBack(output, version, reload)}>
            Roll back<span class="sr"> to version {version.number}</span>…
          </button>
        )}
        <button type="button" class="quiet" onClick={() => tagIt(output, version, reload)}>
          Tag<span class="sr"> version {version.number}</span>…
        </button>
      </>
    ),
  },
]

export function VersionHistory({ path, onChange }: { readonly path: string; readonly onChange: () => void }) {
  const asked = useAsked(signal => load(path, signal), [path], slowlyMs)
  const [chosen, setChosen] = useState<Chosen | undefined>(undefined)
  const changed = (): void => {
    asked.reload()
    onChange()
  }
  return (
    <Shown asked={asked} what="the versions">
      {({ output, versions }) => (
        <>
          {versions.length > 1 && <Compare versions={versions} chosen={chosen} choose={setChosen} />}
          {chosen && <Changes key={`${chosen.from}-${chosen.to}`} output={output} {...chosen} />}
          <Table
            label="versions"
            columns={columnsFor(output, changed, setChosen)}
            rows={versions}
            keyOf={({ number }) => String(number)}
            empty={<Empty title="No version is kept" />}
          />
        </>
      )}
    </Shown>
  )
}

interface CompareProps {
  readonly versions: readonly Version[]
  readonly chosen: Chosen | undefined
  readonly choose: (chosen: Chosen) => void
}

function Compare({ versions, chosen, choose }: CompareProps) {
  const [newest, second] = versions
  const { from, to } = chosen ?? { from: second!.number, to: newest!.number }
  const pick = (label: string, value: number, change: (number: number) => Chosen) => (
    <label>
      {label}{' '}
      <select value={String(value)} onChange={event => choose(change(Number(event.currentTarget.value)))}>
        {versions.map(({ number }) => (
          <option key={number} value={String(number)}>
            version {number}
          </option>
        ))}
      </select>
    </label>
  )
  return (
    <div class="filters">
      {pick('Compare', from, number => ({ from: number, to }))}
      {pick('with', to, number => ({ from, to: number }))}
      {!chosen && (
        <button type="button" onClick={() => choose({ from, to })}>
          Compare
        </button>
      )}
    </div>
  )
}

function Changes({ output, from, to }: Chosen & { readonly output: string }) {
  const asked = useAsked(signal => askFor('diff', { from: `${output}@${from}`, to: `${output}@${to}` }, signal), [output, from, to])
  return (
    <section class="details" aria-label={`Changes from version ${from} to ${to}`}>
      <h3>
        From version {from} to version {to}
      </h3>
      <Shown asked={asked} what="the difference; all rows of both versions are read">
        {({ kept, added, removed, addedRows, removedRows, schema }) => (
          <>
            <p>
              <Badge tone="good">{plural(added, 'row')} added</Badge> <Badge tone="bad">{plural(removed, 'row')} removed</Badge>{' '}
              <span class="dim">{plural(kept, 'row')} in both</span>
            </p>
            {schema.length > 0 && <pre class="text">{schema.map(change => JSON.stringify(change)).join('\n')}</pre>}
            {addedRows.length + removedRows.length > 0 && (
              <pre class="text" tabIndex={0} aria-label="Some rows that differ">
                {differingLines({ added, removed, addedRows, removedRows }).join('\n')}
              </pre>
            )}
          </>
        )}
      </Shown>
    </section>
  )
}
