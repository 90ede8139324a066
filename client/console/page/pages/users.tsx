// Users of gateways, and the ids of their access keys. The secret of a key is shown once, in the dialog that follows its making, and kept
// nowhere.

import type { UserAccount } from '../../../../src/protocol/user.ts'
import type { CallReply } from '../../calls.ts'
import { call, makeKey } from '../api.ts'
import { visible } from '../format.ts'
import { ask } from '../parts/dialog.tsx'
import { Title } from '../parts/shell.tsx'
import { Time } from '../parts/small.tsx'
import { Empty, Shown, slowlyMs, useAsked } from '../parts/states.tsx'
import { Table, type TableColumn } from '../parts/table.tsx'

const pagesMax = 20

async function load(signal: AbortSignal): Promise<UserAccount[]> {
  const found: UserAccount[] = []
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const { users, next }: CallReply<'user.list'> = await call('user.list', after === undefined ? {} : { after }, signal)
    found.push(...users)
    after = next
    if (after === undefined) break
  }
  return found
}

function add(done: () => void): void {
  ask({
    title: 'Add a user',
    text: 'A user who reaches the cluster through a gateway that verifies users, with an access key.',
    action: 'Add',
    input: { label: 'Name', value: '' },
    run: async name => {
      await call('user.add', { name })
      done()
      return `Added ${visible(name)}`
    },
  })
}

function addKey(name: string, done: () => void): void {
  ask({
    title: `Make an access key of ${visible(name)}?`,
    text: 'With it a client of S3, PostgreSQL, WebHDFS or SQL over HTTP acts as this user. Its secret is shown once.',
    action: 'Make',
    run: async () => {
      const { id, secret } = await makeKey(name)
      done()
      return {
        title: `The new access key of ${visible(name)}`,
        text: 'Keep the secret now: it cannot be shown again. Who has it acts as this user until the key is removed.',
        values: [['Access key id', id], ['Secret', secret]],
        action: 'Done',
        run: async () => undefined,
      }
    },
  })
}

function remove(name: string, done: () => void): void {
  ask({
    title: `Remove ${visible(name)}?`,
    text: 'The access keys are removed, too. Files keep their owner.',
    action: 'Remove',
    danger: true,
    run: async () => {
      await call('user.remove', { name })
      done()
      return `Removed ${visible(name)}`
    },
  })
}

function removeKey(id: string, done: () => void): void {
  ask({
    title: `Remove the key ${visible(id)}?`,
    text: 'Gateways refuse it within some seconds.',
    action: 'Remove',
    danger: true,
    run: async () => {
      await call('user.removeKey', { id })
      done()
      return `Removed the key ${visible(id)}`
    },
  })
}

const columnsFor = (reload: () => void): readonly TableColumn<UserAccount>[] => [
  { title: 'User', value: ({ name }) => name, cell: ({ name }) => visible(name) },
  { title: 'Since', value: ({ createdMs }) => createdMs, cell: ({ createdMs }) => <Time ms={createdMs} /> },
  {
    title: 'Access keys',
    value: ({ keys }) => keys.map(({ id }) => id).join(' '),
    cell: ({ keys }) =>
      keys.length === 0
        ? '–'
        : keys.map(({ id }) => (
            <button key={id} type="button" class="quiet mono" onClick={() => removeKey(id, reload)} aria-label={`Remove the key ${id}`}>
              {id} ✕
            </button>
          )),
  },
  {
    title: 'Actions',
    actions: true,
    value: () => undefined,
    cell: ({ name }) => (
      <>
        <button type="button" class="quiet" onClick={() => addKey(name, reload)}>
          New key<span class="sr"> of {visible(name)}</span>…
        </button>
        <button type="button" class="quiet" onClick={() => remove(name, reload)}>
          Remove<span class="sr"> {visible(name)}</span>…
        </button>
      </>
    ),
  },
]

export function UsersPage() {
  const asked = useAsked(load, [], slowlyMs)
  return (
    <>
      <Title
        text="Users"
        actions={
          <button type="button" class="primary" onClick={() => add(asked.reload)}>
            Add…
          </button>
        }
      >
        <a href="/">Overview</a> <span aria-hidden="true">/</span> Users
      </Title>
      <Shown asked={asked} what="the users">
        {users => (
          <Table
            label="users"
            columns={columnsFor(asked.reload)}
            rows={users}
            keyOf={({ name }) => name}
            empty={<Empty title="There are no users">They are needed where gateways verify users: S3, PostgreSQL, WebHDFS over TLS.</Empty>}
          />
        )}
      </Shown>
    </>
  )
}
