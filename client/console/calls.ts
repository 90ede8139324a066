// Messages to the namenode that a page of the console may send, by name. The table is the whole surface: what is not in it cannot be called
// from a browser. The page imports its types only, so that both sides are checked against the same schemas (page/api.ts).
// INVARIANT: no reply carries what gives rights outside of the console: tokens of blocks are taken out.

import * as acl from '../../src/protocol/acl.ts'
import { status } from '../../src/protocol/admin.ts'
import * as job from '../../src/protocol/job.ts'
import type { Message, ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import * as namespace from '../../src/protocol/namespace.ts'
import * as quota from '../../src/protocol/quota.ts'
import * as service from '../../src/protocol/service.ts'
import * as snapshot from '../../src/protocol/snapshot.ts'
import * as table from '../../src/protocol/table.ts'
import * as trash from '../../src/protocol/trash.ts'
import * as user from '../../src/protocol/user.ts'
import * as version from '../../src/protocol/version.ts'
import * as xattr from '../../src/protocol/xattr.ts'

const calls = {
  'acl.get': acl.get,
  'admin.status': status,
  'namespace.stat': namespace.stat,
  'namespace.list': namespace.list,
  'namespace.locate': namespace.locate,
  'namespace.summary': namespace.summary,
  'namespace.mkdir': namespace.mkdir,
  'namespace.rename': namespace.rename,
  'namespace.remove': namespace.remove,
  'namespace.attributes': namespace.setAttributes,
  'quota.get': quota.get,
  'quota.set': quota.set,
  'snapshot.create': snapshot.create,
  'snapshot.list': snapshot.list,
  'snapshot.remove': snapshot.remove,
  'table.get': table.get,
  'table.list': table.list,
  'trash.empty': trash.empty,
  'trash.list': trash.list,
  'trash.restore': trash.restore,
  'user.add': user.add,
  'user.list': user.list,
  'user.remove': user.remove,
  'user.removeKey': user.removeKey,
  'version.list': version.list,
  'version.remove': version.remove,
  'version.rollback': version.rollback,
  'version.show': version.show,
  'version.tag': version.setTag,
  'xattr.list': xattr.list,
  'xattr.remove': xattr.remove,
  'xattr.set': xattr.set,
  'job.list': job.jobs,
  'job.watch': job.watch,
  'job.tasks': job.tasks,
  'job.kill': job.kill,
  'job.queues': job.queues,
  'service.balance': service.balance,
  'service.balanceStatus': service.balanceStatus,
  'service.stopBalance': service.stopBalance,
  'service.decommission': service.decommission,
  'service.recommission': service.recommission,
  'service.maintenance': service.maintenance,
} as const satisfies Readonly<Record<string, Message>>

type Calls = typeof calls
export type CallName = keyof Calls
/** Request of a call, as the page sends it. */
export type CallRequest<Name extends CallName> = Omit<RequestOf<Calls[Name]>, 'requestId'>
export type CallReply<Name extends CallName> = ReplyOf<Calls[Name]>

/** undefined: pages may not send a message of this name. */
export const callOf = (name: string): Message | undefined => (Object.hasOwn(calls, name) ? calls[name as CallName] : undefined)

/** The reply as a page may see it. */
export function shownReply(name: string, reply: unknown): unknown {
  if (name !== namespace.locate.name) return reply
  const located = reply as ReplyOf<typeof namespace.locate>
  return { ...located, blocks: located.blocks.map(block => ({ ...block, token: '' })) }
}
