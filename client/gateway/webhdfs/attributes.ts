// Operations on extended attributes. Values travel as text in quotes, as hex digits or in base64. Of the namespaces of HDFS the cluster has
// `user`.

import { hasCode } from '../../../src/base/errors.ts'
import { RemoteException } from './errors.ts'
import { absent, empty, json, type Call, type Operation } from './operation.ts'

const namespaces = /^(?:user|trusted|security|system|raw)\../i

/** Throws unless the cluster may have an attribute of this name. */
function checkName(name: string): void {
  if (!namespaces.test(name))
    throw new RemoteException(
      'HadoopIllegalArgumentException', "An XAttr name must be prefixed with user/trusted/security/system/raw, followed by a '.'",
    )
  if (!/^user\./i.test(name)) throw new RemoteException('AccessControlException', `User doesn't have permission for xattr: ${name}`)
}

/** The prefix is case-insensitive, the rest of a name is not. */
const ownName = (name: string): string => name.replace(/^user\./i, 'user.')

const encoders = {
  TEXT: (value: Buffer) => `"${value.toString('utf8')}"`,
  HEX: (value: Buffer) => `0x${value.toString('hex')}`,
  BASE64: (value: Buffer) => `0s${value.toString('base64')}`,
} as const

/** A value without a mark is text. Throws for digits that are none. */
export function decodeValue(text: string): Buffer {
  if (/^0x/i.test(text)) {
    const digits = text.slice(2)
    if (!/^(?:[0-9a-f]{2})*$/i.test(digits))
      throw new RemoteException('IOException', `"${text.slice(0, 100)}" has an odd number of digits, or one that is not hexadecimal`)
    return Buffer.from(digits, 'hex')
  }
  if (/^0s/i.test(text)) return Buffer.from(text.slice(2), 'base64')
  return Buffer.from(/^".*"$/s.test(text) && text.length > 1 ? text.slice(1, -1) : text)
}

async function get({ mill, path, params, signal }: Call) {
  const encode = encoders[params.encoding!]
  const all = await mill.xattrs.list(path, { signal })
  const names = params['xattr.name'].map(ownName)
  for (const name of names) checkName(name)
  if (names.some(name => !all.has(name)))
    throw new RemoteException('XAttrNotFoundException', 'At least one of the attributes provided was not found.')
  const shown = names.length > 0 ? names : [...all.keys()]
  return json({
    XAttrs: shown.map(name => ({ name, value: all.get(name)!.length > 0 ? encode(all.get(name)!) : null })),
  })
}

/** A JSON text within JSON, as HDFS sends it. */
const list = async ({ mill, path, signal }: Call) =>
  json({ XAttrNames: JSON.stringify([...(await mill.xattrs.list(path, { signal })).keys()]) })

async function set({ mill, path, params, signal }: Call) {
  const name = ownName(params['xattr.name'][0]!)
  checkName(name)
  const value = decodeValue(params['xattr.value'] ?? '')
  const there = (await mill.xattrs.list(path, { signal })).has(name)
  const short = name.slice(name.indexOf('.') + 1)
  if (there && !params.flag!.includes('REPLACE'))
    throw new RemoteException('IOException', `XAttr: ${short} already exists. The REPLACE flag must be specified.`)
  if (!there && !params.flag!.includes('CREATE'))
    throw new RemoteException('IOException', `XAttr: ${short} does not exist. The CREATE flag must be specified.`)
  await mill.xattrs.set(path, name, value, { signal })
  return empty
}

async function remove({ mill, path, params, signal }: Call) {
  const name = ownName(params['xattr.name'][0]!)
  checkName(name)
  try {
    await mill.xattrs.rm(path, name, { signal })
  } catch (error) {
    if (hasCode(error, 'ENOENT') && error.details['name'] !== undefined)
      throw new RemoteException('IOException', 'No matching attributes found for remove operation', { cause: error })
    throw error
  }
  return empty
}

const userOnly = 'attributes of the namespace `user` only'

export const attributeOperations: readonly Operation[] = [
  { verb: 'GET', name: 'GETXATTRS', required: ['encoding'], exceptions: absent, answer: get, limits: userOnly },
  { verb: 'GET', name: 'LISTXATTRS', exceptions: absent, answer: list, limits: userOnly },
  {
    verb: 'PUT', name: 'SETXATTR', required: ['xattr.name', 'flag'], exceptions: { ...absent, TOO_LARGE: 'IOException' }, answer: set,
    limits: `${userOnly}; two requests at the same time may both find that an attribute does not exist`,
  },
  { verb: 'PUT', name: 'REMOVEXATTR', required: ['xattr.name'], exceptions: absent, answer: remove, limits: userOnly },
]
