// Handlers of `user.*`: submit the mutations (users/mutations.ts), page the list, and look up the keys of gateways.

import { GristmillError } from '../../src/base/errors.ts'
import { systemUser } from '../../src/base/ids.ts'
import { faultOfNewName } from '../../src/base/username.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as protocol from '../../src/protocol/user.ts'
import type { UserAccount } from '../../src/protocol/user.ts'
import { route, type Route } from '../../src/rpc/serve.ts'
import type { Journal } from '../journal/journal.ts'
import type { Actor } from '../journal/operation.ts'
import { addKey, addUser, removeKey, removeUser, setPassword } from './mutations.ts'
import { accessKeyAt, userAt, usersAfter, type UserRow } from './rows.ts'

const pageMax = 500

interface UserOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly actor: (user: string) => Actor
  /** A key as it is kept, of one that a client has sealed. */
  readonly sealing?: ((sealed: string, id: string) => string) | undefined
}

export function userRoutes({ journal, clock, actor, sealing = sealed => sealed }: UserOptions): Route[] {
  const { view } = journal
  const describe = (name: string, { createdMs, keys, password }: UserRow): UserAccount => ({
    name, createdMs, keys: keys.map(id => ({ id, createdMs: accessKeyAt(view, id)?.createdMs ?? 0 })),
    ...password !== undefined && { password: true as const },
  })
  return [
    route(protocol.add, async ({ requestId, name }, { user }) => {
      const fault = faultOfNewName(name)
      if (fault !== undefined) throw new GristmillError('EINVAL', `${JSON.stringify(name)} cannot be the name of a user: ${fault}`)
      return ok(await journal.submit(addUser, { requestId, name, nowMs: clock.now(), ...actor(user) }))
    }),
    route(protocol.remove, async ({ requestId, name }, { user }) =>
      ok(await journal.submit(removeUser, { requestId, name, nowMs: clock.now(), ...actor(user) }))),
    route(protocol.addKey, async ({ requestId, name, id, sealed }, { user }) =>
      ok(await journal.submit(addKey, { requestId, name, id, sealed: sealing(sealed, id), nowMs: clock.now(), ...actor(user) }))),
    route(protocol.removeKey, async ({ requestId, id }, { user }) =>
      ok(await journal.submit(removeKey, { requestId, id, nowMs: clock.now(), ...actor(user) }))),
    route(protocol.setPassword, async ({ requestId, name, hashed }, { user }) =>
      ok(await journal.submit(setPassword, { requestId, name, hashed, nowMs: clock.now(), ...actor(user) }))),
    route(protocol.password, ({ name }, { user }) => {
      if (user !== systemUser && !actor(user).root)
        throw new GristmillError('EACCES', `${user} may not look up passwords; gateways do, in the name of the cluster`)
      const hashed = userAt(view, name)?.password
      if (hashed === undefined) throw new GristmillError('ENOENT', `there is no user ${name} with a password`)
      return { hashed }
    }),
    route(protocol.list, ({ after }, { user }) => {
      const own = userAt(view, user)
      if (!actor(user).root) return { users: own && after === undefined ? [describe(user, own)] : [] }
      const users = [...usersAfter(view, after, pageMax)].map(([name, row]) => describe(name, row))
      return { users, ...users.length === pageMax && { next: users.at(-1)!.name } }
    }),
    route(protocol.key, ({ id }, { user }) => {
      if (user !== systemUser && !actor(user).root)
        throw new GristmillError('EACCES', `${user} may not look up access keys; gateways do, in the name of the cluster`)
      const key = accessKeyAt(view, id)
      if (!key) throw new GristmillError('ENOENT', `there is no access key ${id}`)
      return { user: key.user, sealed: key.sealed }
    }),
  ]
}

const ok = (_: undefined): Record<string, never> => ({})
