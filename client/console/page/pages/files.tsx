// Files: a directory, page by page as it is scrolled, or one file.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import { call, contentUrl } from '../api.ts'
import { baseName, formatBytes, formatCount, formatMode, plural, visible } from '../format.ts'
import { answers } from '../live.ts'
import { ask, tell } from '../parts/dialog.tsx'
import { Title } from '../parts/shell.tsx'
import { AttributeList } from '../parts/attributes.tsx'
import { LineageView } from '../parts/lineage.tsx'
import { Panel, Time } from '../parts/small.tsx'
import { SnapshotList } from '../parts/snapshots.tsx'
import { AsOf, Empty, Failed, isGone, isUnanswered, Loading, Shown, useAsked, useEvery } from '../parts/states.tsx'
import { Table, type TableColumn } from '../parts/table.tsx'
import { addUploads, useStored } from '../parts/uploads.tsx'
import { VersionHistory } from '../parts/versions.tsx'
import { Views, viewOf } from '../parts/views.tsx'
import { fileUrl, go } from '../route.ts'
import { FileView } from './file.tsx'

export function FilesPage({ path }: { readonly path: string }) {
  // A directory is followed by its names.
  const [type, setType] = useState<FileStatus['type']>('directory')
  const asked = useAsked(signal => call('namespace.stat', { path }, signal), [path], type === 'file' ? followMs : undefined)
  useEffect(() => setType(asked.data?.type ?? 'directory'), [asked.data?.type])
  if (asked.data !== undefined && isGone(asked.error))
    return (
      <>
        <Trail path={path} />
        <Failed error={asked.error!} retry={asked.reload} />
      </>
    )
  return (
    <>
      {asked.data === undefined && <Trail path={path} />}
      <Shown asked={asked} what={visible(path)}>
        {status =>
          status.type === 'directory' ? (
            <Directory status={status} changed={asked.reload} />
          ) : (
            <>
              <Trail path={path} actions={<FileActions status={status} />} />
              <FileView status={status} reload={asked.reload} />
            </>
          )
        }
      </Shown>
      {asked.error && asked.data === undefined && (
        <p>
          <a href="/files/">Go to the root directory</a>
        </p>
      )}
    </>
  )
}

function Trail({ path, actions }: { readonly path: string; readonly actions?: preact.ComponentChildren }) {
  const parts = path.split('/').filter(part => part !== '')
  const crumbs = parts.map((part, i) => ({ part, url: fileUrl(`/${parts.slice(0, i + 1).join('/')}`) }))
  return (
    <Title text={parts.length === 0 ? 'Files' : visible(parts.at(-1)!)} actions={actions}>
      <span class="trail">
        {parts.length === 0 ? 'Files' : <a href="/files/">Files</a>}
        {crumbs.map(({ part, url }, i) => (
          <span key={url}>
            <span aria-hidden="true"> / </span>
            {i === crumbs.length - 1 ? visible(part) : <a href={url}>{visible(part)}</a>}
          </span>
        ))}
      </span>
    </Title>
  )
}

const childOf = (path: string, name: string): string => (path === '/' ? `/${name}` : `${path}/${name}`)

function removal(status: FileStatus, done: () => void): void {
  const directory = status.type === 'directory'
  ask({
    title: `Remove ${visible(baseName(status.path))}?`,
    danger: true,
    action: 'Move to trash',
    text: directory ? 'The directory and everything in it is moved to your trash.' : 'The file is moved to your trash.',
    run: async () => {
      await call('namespace.remove', { path: status.path, ...(directory && { recursive: true }) })
      done()
      return `Moved ${visible(status.path)} to the trash`
    },
  })
}

function rename(status: FileStatus, done: (to: string) => void): void {
  ask({
    title: `Rename ${visible(baseName(status.path))}`,
    text: 'A path moves it; nothing is replaced.',
    action: 'Rename',
    input: { label: 'New path', value: status.path },
    run: async to => {
      const path = to.startsWith('/') ? to : childOf(status.path.slice(0, status.path.lastIndexOf('/')) || '/', to)
      await call('namespace.rename', { from: status.path, to: path })
      done(path)
      return `Renamed to ${visible(path)}`
    },
  })
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'

const FileActions = ({ status }: { readonly status: FileStatus }) => (
  <>
    <a class="button" href={contentUrl(status.path, 'download')} download>
      Download
    </a>
    <button type="button" onClick={() => rename(status, to => go(fileUrl(to)))}>
      Rename…
    </button>
    <button type="button" class="danger" onClick={() => removal(status, () => go(fileUrl(parentOf(status.path))))}>
      Remove…
    </button>
  </>
)

/** A directory of at most so many names is followed; a longer one says of when it is. */
const followedNamesMax = 1_000
const followMs = 5_000

interface Listing {
  readonly atMs: number
  readonly entries: readonly FileStatus[]
  readonly next?: string | undefined
  readonly all: boolean
  readonly error?: Error
}

/** Names of a directory, so far as they were scrolled to. */
function useListing(path: string) {
  const [listing, setListing] = useState<Listing | undefined>(undefined)
  const [round, setRound] = useState(0)
  const asking = useRef<AbortController | undefined>(undefined)
  const load = useCallback(
    (after: string | undefined, entries: readonly FileStatus[]): void => {
      asking.current?.abort()
      const ending = (asking.current = new AbortController())
      call('namespace.list', { path, ...(after !== undefined && { after }) }, ending.signal)
        .then(
          page => {
            if (!ending.signal.aborted)
              setListing({ entries: [...entries, ...page.entries], next: page.next, all: page.next === undefined, atMs: Date.now() })
          },
          (error: unknown) => {
            if (!ending.signal.aborted) setListing({ entries, next: after, all: false, error: error as Error, atMs: Date.now() })
          },
        )
        .finally(() => {
          if (asking.current === ending) asking.current = undefined
        })
    },
    [path],
  )
  useEffect(() => {
    load(undefined, [])
    return () => asking.current?.abort()
  }, [load, round])
  const more = useCallback(() => {
    if (listing && !listing.all && listing.error === undefined && asking.current === undefined) load(listing.next, listing.entries)
  }, [listing, load])
  const reload = (): void => setRound(last => last + 1)
  const isWhole = listing?.all === true && listing.entries.length <= followedNamesMax
  // The first page is all of it. The names stay as they are while nothing has changed.
  useEvery(isWhole ? followMs * Math.ceil((listing.entries.length + 1) / 200) : undefined, () => {
    if (asking.current !== undefined) return
    const ending = (asking.current = new AbortController())
    call('namespace.list', { path }, ending.signal)
      .then(
        ({ entries, next }) => {
          if (ending.signal.aborted || (next === undefined && JSON.stringify(entries) === JSON.stringify(listing?.entries))) return
          setListing({ entries, next, all: next === undefined, atMs: Date.now() })
        },
        (error: unknown) => {
          if (!ending.signal.aborted && isGone(error as Error))
            setListing({ entries: [], all: false, error: error as Error, atMs: Date.now() })
        },
      )
      .finally(() => {
        if (asking.current === ending) asking.current = undefined
      })
  })
  useEffect(() => {
    if (answers.value && isUnanswered(listing?.error)) reload()
  }, [answers.value, listing?.error])
  return { listing, more, reload }
}

const columns: readonly TableColumn<FileStatus>[] = [
  {
    title: 'Name',
    value: ({ path }) => baseName(path),
    cell: ({ path, type }) => (
      <a class={`name name-${type}`} href={fileUrl(path)}>
        <span class="sr">{type} </span>
        {visible(baseName(path))}
        {type === 'directory' ? '/' : ''}
      </a>
    ),
  },
  {
    title: 'Size',
    number: true,
    value: ({ type, length }) => (type === 'file' ? length : undefined),
    cell: ({ type, length }) => (type === 'file' ? formatBytes(length) : '–'),
  },
  {
    title: 'Blocks',
    number: true,
    wide: true,
    value: ({ type, blocks }) => (type === 'file' ? blocks : undefined),
    cell: ({ type, blocks, inlined }) => (type === 'directory' ? '–' : inlined ? 'inlined' : formatCount(blocks)),
  },
  {
    title: 'Replicas',
    number: true,
    wide: true,
    value: ({ type, replication }) => (type === 'file' ? replication : undefined),
    cell: ({ type, replication }) => (type === 'file' ? replication : '–'),
  },
  {
    title: 'Mode',
    wide: true,
    value: formatMode,
    cell: status => <span class="mono">{formatMode(status)}</span>,
  },
  {
    title: 'Owner',
    wide: true,
    value: ({ owner, group }) => `${owner}:${group}`,
    cell: ({ owner, group }) => `${visible(owner)}:${visible(group)}`,
  },
  { title: 'Modified', value: ({ mtimeMs }) => mtimeMs, cell: ({ mtimeMs }) => <Time ms={mtimeMs} /> },
]

function Directory({ status, changed }: { readonly status: FileStatus; readonly changed: () => void }) {
  const { path } = status
  const { listing, more, reload } = useListing(path)
  useStored(path, reload)
  const add = (files: readonly File[]): void => addUploads(path, files)
  return (
    <div
      class="page"
      onDragOver={event => event.preventDefault()}
      onDrop={event => {
        event.preventDefault()
        add([...(event.dataTransfer?.files ?? [])])
      }}
    >
      <Trail path={path} actions={<DirectoryActions status={status} reload={reload} add={add} />} />
      <p class="dim">
        Owner {visible(status.owner)}:{visible(status.group)} · <span class="mono">{formatMode(status)}</span>
        {status.version !== undefined && <> · version {status.version} of an output</>} · <SummaryOf path={path} />
      </p>
      <Views label="Views of the directory" views={status.version === undefined ? directoryViews : outputViews} />
      <DirectoryView status={status} reload={reload} changed={changed}>
        {listing ? <Names path={path} listing={listing} more={more} reload={reload} /> : <Loading what={visible(path)} />}
      </DirectoryView>
    </div>
  )
}

const directoryViews = [['contents', 'Contents'], ['snapshots', 'Snapshots'], ['attributes', 'Owner, quota and attributes']] as const
const outputViews = [
  ['contents', 'Contents'], ['versions', 'Versions'], ['lineage', 'Lineage'], ['snapshots', 'Snapshots'],
  ['attributes', 'Owner, quota and attributes'],
] as const

interface DirectoryViewProps {
  readonly status: FileStatus
  readonly reload: () => void
  /** The status of the directory itself has changed. */
  readonly changed: () => void
  readonly children: preact.ComponentChildren
}

/** `children`: the names in the directory. */
function DirectoryView({ status, reload, changed, children }: DirectoryViewProps) {
  const { path, version } = status
  switch (viewOf(version === undefined ? directoryViews : outputViews)) {
    case 'versions':
      return (
        <Panel title="Versions">
          <VersionHistory path={path} onChange={reload} />
        </Panel>
      )
    case 'lineage':
      return (
        <Panel title="Lineage">
          <LineageView path={path} isOutput />
        </Panel>
      )
    case 'snapshots':
      return (
        <Panel title="Snapshots">
          <SnapshotList path={path} />
        </Panel>
      )
    case 'attributes':
      return (
        <Panel title="Owner, quota and attributes">
          <AttributeList status={status} reload={changed} />
        </Panel>
      )
    default:
      return <>{children}</>
  }
}

interface NamesProps {
  readonly path: string
  readonly listing: Listing
  readonly more: () => void
  readonly reload: () => void
}

function Names({ path, listing: { entries, all, error, atMs }, more, reload }: NamesProps) {
  if (error && entries.length === 0) return <Failed error={error} retry={reload} />
  const counted = `${formatCount(entries.length)}${all ? '' : ' and more'} ${entries.length === 1 ? 'name' : 'names'}`
  return (
    <>
      <Table
        label={`files of ${visible(path)}`}
        columns={columns}
        rows={entries}
        keyOf={entry => baseName(entry.path)}
        onEnd={more}
        more={counted}
        fixed={!all}
        empty={<Empty title="The directory is empty">Drop files here, or press Upload.</Empty>}
      />
      {error && <Failed error={error} retry={reload} />}
      {(!all || entries.length > followedNamesMax) && <AsOf atMs={atMs} reload={reload} />}
    </>
  )
}

function makeDirectory(path: string, reload: () => void): void {
  ask({
    title: 'New directory',
    text: `It is made in ${visible(path)}.`,
    action: 'Make',
    input: { label: 'Name', value: '' },
    run: async name => {
      await call('namespace.mkdir', { path: childOf(path, name) })
      reload()
      return `Made ${visible(name)}`
    },
  })
}

interface DirectoryActionsProps {
  readonly status: FileStatus
  readonly reload: () => void
  readonly add: (files: readonly File[]) => void
}

function DirectoryActions({ status, reload, add }: DirectoryActionsProps) {
  const { path } = status
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <button type="button" onClick={() => makeDirectory(path, reload)}>
        New directory…
      </button>
      <button type="button" class="primary" onClick={() => input.current?.click()}>
        Upload…
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Files to upload"
        onChange={event => {
          add([...(event.currentTarget.files ?? [])])
          event.currentTarget.value = ''
        }}
      />
      {path !== '/' && (
        <button type="button" onClick={() => rename(status, to => go(fileUrl(to)))}>
          Rename…
        </button>
      )}
      {path !== '/' && (
        <button type="button" class="danger" onClick={() => removal(status, () => go(fileUrl(parentOf(path))))}>
          Remove…
        </button>
      )}
      <a class="button" href="/trash">
        Trash
      </a>
    </>
  )
}

/** Counting a large directory takes a while: only when asked for. */
function SummaryOf({ path }: { readonly path: string }) {
  const [text, setText] = useState('')
  const count = (): void => {
    setText('counting…')
    call('namespace.summary', { path }).then(
      ({ files, directories, bytes, stored }) =>
        setText(
          `${plural(files, 'file')}, ${plural(directories, 'directory', 'directories')}, ` +
            `${formatBytes(bytes)}; ${formatBytes(stored)} with replicas`,
        ),
      (error: unknown) => {
        setText('')
        tell((error as Error).message, true)
      },
    )
  }
  return text === '' ? (
    <button type="button" class="quiet" onClick={count}>
      Count its contents
    </button>
  ) : (
    <span>{text}</span>
  )
}
