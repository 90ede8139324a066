// Owner, mode, replicas and extended attributes of a file or directory, and the quota of a directory.

import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import type { CallReply } from '../../calls.ts'
import { attributeText, bytesFrom } from '../attributetext.ts'
import { call } from '../api.ts'
import { formatBytes, formatCount, formatMode, formatPercent, visible } from '../format.ts'
import { limitFrom, modeFrom, modeText, ownerFrom, replicasFrom } from '../rights.ts'
import { ask } from './dialog.tsx'
import { Bar, Facts } from './small.tsx'
import { Empty, Shown, slowlyMs, useAsked } from './states.tsx'
import { Table, type TableColumn } from './table.tsx'

type Attribute = CallReply<'xattr.list'>['attributes'][number]

function set(path: string, done: () => void, name = ''): void {
  ask({
    title: 'Set an attribute',
    text: `A small value that is kept with ${visible(path)}. Names begin with "user.".`,
    action: 'Set',
    input: { label: 'NAME=VALUE', value: name === '' ? 'user.' : `${name}=` },
    run: async text => {
      const at = text.indexOf('=')
      if (at <= 0) throw new Error('Write a name, an equals sign, and the value.')
      await call('xattr.set', { path, name: text.slice(0, at), value: bytesFrom(text.slice(at + 1)) })
      done()
      return undefined
    },
  })
}

function remove(path: string, name: string, done: () => void): void {
  ask({
    title: `Remove ${visible(name)}?`,
    text: 'Its value is gone then.',
    action: 'Remove',
    danger: true,
    run: async () => {
      await call('xattr.remove', { path, name })
      done()
      return undefined
    },
  })
}

const columnsFor = (path: string, reload: () => void): readonly TableColumn<Attribute>[] => [
  { title: 'Attribute', value: ({ name }) => name, cell: ({ name }) => <span class="mono">{visible(name)}</span> },
  {
    title: 'Value',
    value: ({ value }) => attributeText(value),
    cell: ({ value }) => (
      <span class="cell mono" title={visible(attributeText(value).slice(0, 2_000))}>
        {visible(attributeText(value))}
      </span>
    ),
  },
  {
    title: 'Actions',
    actions: true,
    value: () => undefined,
    cell: ({ name }) => (
      <>
        <button type="button" class="quiet" onClick={() => set(path, reload, name)}>
          Change<span class="sr"> {visible(name)}</span>…
        </button>
        <button type="button" class="quiet" onClick={() => remove(path, name, reload)}>
          Remove<span class="sr"> {visible(name)}</span>…
        </button>
      </>
    ),
  },
]

interface AttributeListProps {
  readonly status: FileStatus
  /** Called when the status has changed. */
  readonly reload: () => void
}

export function AttributeList({ status, reload }: AttributeListProps) {
  const { path, type } = status
  const asked = useAsked(signal => call('xattr.list', { path }, signal), [path], slowlyMs)
  return (
    <>
      <Rights status={status} reload={reload} />
      {type === 'directory' && <Quota path={path} />}
      <Shown asked={asked} what="the attributes">
        {({ attributes }) => (
          <>
            <p>
              <button type="button" onClick={() => set(path, asked.reload)}>
                Set an attribute…
              </button>
            </p>
            <Table
              label="attributes"
              columns={columnsFor(path, asked.reload)}
              rows={attributes}
              keyOf={({ name }) => name}
              empty={<Empty title="There are no attributes" />}
            />
          </>
        )}
      </Shown>
    </>
  )
}

interface Change {
  readonly what: string
  readonly hint: string
  readonly label: string
  readonly now: string
  readonly read: (text: string) => ReturnType<typeof modeFrom>
}

const changeOf = (path: string, { what, hint, label, now, read }: Change, done: () => void): void =>
  ask({
    title: `Change the ${what}`,
    text: hint,
    action: 'Change',
    input: { label, value: now },
    run: async text => {
      await call('namespace.attributes', { path, ...read(text) })
      done()
      return `Changed the ${what} of ${visible(path)}`
    },
  })

/** The superuser changes an owner; the owner changes the rest. */
function Rights({ status, reload }: AttributeListProps) {
  const { path, type, owner, group, mode, replication, acl } = status
  const row = (title: string, shown: string, change: Change) =>
    [
      title,
      <>
        <span class="mono">{visible(shown)}</span>{' '}
        <button type="button" class="quiet" onClick={() => changeOf(path, change, reload)}>
          Change<span class="sr"> the {change.what}</span>…
        </button>
      </>,
    ] as const
  const own = `${owner}:${group}`
  const facts = [
    row('Owner', own, { what: 'owner', hint: 'Only the superuser gives a file away.', label: 'USER:GROUP', now: own, read: ownerFrom }),
    row('Mode', formatMode(status), {
      what: 'mode',
      hint: acl ? rightsOfList : 'Rights to read, write and search of the owner, the group and the others.',
      label: 'Octal digits, such as 644',
      now: modeText(mode),
      read: modeFrom,
    }),
    ...(type === 'directory'
      ? []
      : [
          row('Replicas', formatCount(replication), {
            what: 'number of replicas',
            hint: 'Copies are made, or removed, in the background.',
            label: 'Replicas of each block',
            now: String(replication),
            read: replicasFrom,
          }),
        ]),
  ]
  return <Facts facts={acl ? [...facts, ['Access control list', <AccessList path={path} mode={mode} />]] : facts} />
}

const rightsOfList = 'There is an access control list: the digits are the rights of the owner, the most that the group and the users and '
  + 'groups of the list may have of theirs, and the rights of the others.'

/** Read only: `gristmill setfacl` changes it. */
function AccessList({ path, mode }: { readonly path: string; readonly mode: number }) {
  const asked = useAsked(signal => call('acl.get', { path }, signal), [path, mode], slowlyMs)
  return (
    <Shown asked={asked} what="the list">
      {({ entries }) => <span class="mono">{visible(entries.join(', '))}</span>}
    </Shown>
  )
}

const limitLabels = { names: 'A whole number, or - for no limit', bytes: 'A size, such as 10GiB, or - for no limit' } as const

function limit(path: string, what: 'names' | 'bytes', now: number | undefined, done: () => void): void {
  ask({
    title: what === 'names' ? 'Limit of names' : 'Limit of bytes',
    text: what === 'names' ? 'Files and directories below this one.' : 'Bytes of all files below this directory, with all replicas.',
    action: 'Set',
    input: { label: limitLabels[what], value: now === undefined ? '-' : String(now) },
    run: async text => {
      await call('quota.set', { path, [what]: limitFrom(text, what) })
      done()
      return undefined
    },
  })
}

function Quota({ path }: { readonly path: string }) {
  const asked = useAsked(signal => call('quota.get', { path }, signal), [path], slowlyMs)
  return (
    <Shown asked={asked} what="the quota">
      {({ quota }) => {
        const part = (what: 'names' | 'bytes', format: (value: number) => string) => {
          const most = quota?.limit[what]
          const used = quota?.used[what] ?? 0
          return (
            <>
              {most === undefined ? (
                'no limit '
              ) : (
                <span class="with-bar">
                  <Bar part={used} whole={most} label={`${formatPercent(used, most)} used`} tone={used > most * 0.9 ? 'bad' : undefined} />
                  {quota?.counting ? 'counting' : format(used)} of {format(most)}{' '}
                </span>
              )}
              <button type="button" class="quiet" onClick={() => limit(path, what, most, asked.reload)}>
                Change<span class="sr"> the limit of {what}</span>…
              </button>
            </>
          )
        }
        return (
          <Facts
            facts={[
              ['Quota of names', part('names', formatCount)],
              ['Quota of bytes', part('bytes', formatBytes)],
            ]}
          />
        )
      }}
    </Shown>
  )
}
