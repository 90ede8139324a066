// Operations on access control lists, and the modes of new entries, one of which bounds a default list. A list that cannot be is an
// AclException; a text that is no list is a wrong argument.

import { aclText } from '../../../src/base/acl.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import { RemoteException } from './errors.ts'
import { absent, empty, json, type Call, type Operation } from './operation.ts'

async function status({ mill, path, signal }: Call) {
  const { owner, group, mode, extended } = await mill.acls.get(path, { signal })
  return json({
    AclStatus: {
      entries: extended.map(aclText), group, owner, permission: (mode & 0o777).toString(8), stickyBit: (mode & 0o1000) !== 0,
    },
  })
}

/**
 * Modes of an entry that is created. Hadoop's client sends its mode without the bits of its umask, and the whole one, which bounds a
 * default list. The namenode decides which of them counts, in the step that makes the entry.
 */
export const modesOfNew = ({ params: { permission, unmaskedpermission } }: Call, fallback: number) =>
  ({ mode: permission ?? fallback, ...unmaskedpermission !== undefined && { unmaskedMode: unmaskedpermission } })

/** Entries of the parameter `aclspec`. */
const entriesOf = ({ params }: Call): string[] => params.aclspec!.split(',')

const changing = (work: (call: Call) => Promise<void>) => async (call: Call) => {
  try {
    await work(call)
    return empty
  } catch (error) {
    if (error instanceof GristmillError && error.code === 'EINVAL' && error.message.startsWith('Invalid ACL'))
      throw new RemoteException('AclException', `${error.message} Path: ${call.path}`, { cause: error })
    throw error
  }
}

const given = { required: ['aclspec'], exceptions: { ...absent, EINVAL: 'HadoopIllegalArgumentException' } } as const

export const aclOperations: readonly Operation[] = [
  { verb: 'GET', name: 'GETACLSTATUS', exceptions: absent, answer: status },
  {
    verb: 'PUT', name: 'MODIFYACLENTRIES', ...given,
    answer: changing(call => call.mill.acls.modify(call.path, entriesOf(call), { signal: call.signal })),
  },
  {
    verb: 'PUT', name: 'REMOVEACLENTRIES', ...given,
    answer: changing(call => call.mill.acls.remove(call.path, entriesOf(call), { signal: call.signal })),
  },
  {
    verb: 'PUT', name: 'SETACL', ...given,
    answer: changing(call => call.mill.acls.set(call.path, entriesOf(call), { signal: call.signal })),
  },
  {
    verb: 'PUT', name: 'REMOVEDEFAULTACL', exceptions: absent,
    answer: changing(call => call.mill.acls.removeDefault(call.path, { signal: call.signal })),
  },
  {
    verb: 'PUT', name: 'REMOVEACL', exceptions: absent,
    answer: changing(call => call.mill.acls.clear(call.path, { signal: call.signal })),
  },
]
