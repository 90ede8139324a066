// getfacl and setfacl: show and change access control lists. The output is that of `hdfs dfs -getfacl`; entries may also have the short
// forms of setfacl(1).

import { permittedBy, permText, type AclEntry } from '../../../src/base/acl.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import type { AclStatus } from '../../files/acls.ts'
import type { Mill } from '../../mill.ts'
import { concurrent } from '../concurrent.ts'
import type { CommandContext } from '../context.ts'
import { option, type CommandSpec } from '../spec.ts'
import { remotePaths, statusToChange, walk, type Walked } from '../tree.ts'
import { recurse } from './options.ts'

const listed = (text: string): string[] => text.split(',').map(each => each.trim()).filter(Boolean)

export const getfacl: CommandSpec = {
  name: 'getfacl', args: '<path...>', about: 'show access control lists',
  notes: 'Each entry is [default:](user|group|mask|other):[NAME]:PERMISSIONS. An entry of which the mask takes permissions has the rest behind #effective.',
  options: [recurse],
  examples: [['gristmill getfacl /shared', 'owner, group and all entries'], ['gristmill getfacl -R /shared', 'everything below, too']],
  run: runGet,
}

export const setfacl: CommandSpec = {
  name: 'setfacl', args: '<path...>', about: 'change access control lists',
  notes:
    'ENTRIES are between commas: user:bob:rw-, group:staff:r-x, mask::r--, other::---; u, g, m, o and d are short for user, group, mask, other and default. New files and directories get the entries with default: of the directory that they are created in. With -R, files leave these out.',
  options: [
    option('-m, --modify <entries>', 'add entries, and replace those of the same user or group'),
    option('-x, --remove <entries>', 'remove entries, named without permissions: user:bob'),
    option('-b, --remove-all', 'remove all entries but those of owner, group and others'),
    option('-k, --remove-default', 'remove the default entries'),
    option('--set <entries>', 'replace the list, or the default list if all entries are default ones'),
    recurse,
  ],
  examples: [
    ['gristmill setfacl -m user:bob:r-x,default:user:bob:r-x /shared', 'bob reads the directory, and what will be in it'],
    ['gristmill setfacl -R -x user:bob /shared', 'take it back, for everything in the directory'],
    ['gristmill setfacl -b /shared', 'the mode alone counts'],
  ],
  run: runSet,
}

async function runGet(context: CommandContext, operands: readonly string[], { recursive }: { recursive?: boolean }): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  await context.each(remotePaths(context, operands), async path => {
    const all = walk(mill, await mill.status(path, { signal }), { signal, depthMax: recursive ? Infinity : 0 })
    for await (const found of concurrent(all, ({ status }) => mill.acls.get(status.path, { signal }))) {
      if (context.json) await printer.json(forPrograms(found), { compact: recursive || operands.length > 1 })
      else for (const line of describe(found, name => printer.name(name))) await printer.line(line)
    }
  })
}

/** The permissions of an entry that its mask leaves. */
const effective = (entry: AclEntry, { entries }: AclStatus): number => permittedBy(entry, entries)

function describe(found: AclStatus, show: (name: string) => string): string[] {
  const { path, owner, group, mode, entries } = found
  const flags = (mode & 0o1000) === 0 ? [] : [`# flags: --${mode & 1 ? 't' : 'T'}`]
  const lines = entries.map(entry => {
    const left = effective(entry, found)
    const name = `${entry.scope === 'default' ? 'default:' : ''}${entry.type}:${entry.name === undefined ? '' : show(entry.name)}`
    return `${name}:${permText(entry.perm)}${left === entry.perm ? '' : `\t#effective:${permText(left)}`}`
  })
  return [`# file: ${show(path)}`, `# owner: ${show(owner)}`, `# group: ${show(group)}`, ...flags, ...lines, '']
}

function forPrograms(found: AclStatus): object {
  const { path, owner, group, mode, entries } = found
  return {
    path, owner, group, mode,
    entries: entries.map(entry => ({
      scope: entry.scope, type: entry.type, ...entry.name !== undefined && { name: entry.name },
      permissions: permText(entry.perm), effective: permText(effective(entry, found)),
    })),
  }
}

interface SetOptions {
  readonly modify?: string
  readonly remove?: string
  readonly set?: string
  readonly removeAll?: boolean
  readonly removeDefault?: boolean
  readonly recursive?: boolean
}

async function runSet(context: CommandContext, operands: readonly string[], options: SetOptions): Promise<void> {
  const { signal } = context
  const change = changeOf(options)
  const mill = await context.mill()
  await context.each(remotePaths(context, operands), async path => {
    const top = await statusToChange(mill, path, signal, () => change(mill, path, false, signal))
    // Entries of a directory first: the caller may lose access to them by its new list.
    const all = walk(mill, top, { signal, depthMax: options.recursive ? Infinity : 0, post: true })
    const one = ({ status: { path: at, type } }: Walked): Promise<void> =>
      change(mill, at, type === 'file' && options.recursive === true, signal)
    for await (const _ of concurrent(all, one, ({ status }) => status.type === 'directory'));
  })
}

/** `accessOnly`: leaves out default entries, which a file cannot have. */
type Change = (mill: Mill, path: string, accessOnly: boolean, signal: AbortSignal) => Promise<void>

/** Throws USAGE unless exactly one change is asked for, whose entries have the right form. */
function changeOf({ modify, remove, set, removeAll, removeDefault }: SetOptions): Change {
  if ([modify, remove, set, removeAll, removeDefault].filter(each => each !== undefined).length !== 1)
    throw new GristmillError('USAGE', 'give one of -m, -x, -b, -k and --set: gristmill setfacl -m user:bob:r-x PATH')
  if (removeAll) return (mill, path, _, signal) => mill.acls.clear(path, { signal })
  if (removeDefault)
    return (mill, path, accessOnly, signal) => (accessOnly ? Promise.resolve() : mill.acls.removeDefault(path, { signal }))
  const kind = modify !== undefined ? 'modify' : remove !== undefined ? 'remove' : 'set'
  const entries = listed(modify ?? remove ?? set ?? '').map(text => longForm(text, kind !== 'remove'))
  if (entries.length === 0) throw new GristmillError('USAGE', 'the list of entries is empty: gristmill setfacl -m user:bob:r-x PATH')
  return async (mill, path, accessOnly, signal) => {
    const own = accessOnly ? entries.filter(text => !text.startsWith('default:')) : entries
    if (own.length > 0) await mill.acls[kind](path, own, { signal })
  }
}

const words: Readonly<Record<string, string>> = { u: 'user', g: 'group', m: 'mask', o: 'other' }

/**
 * `d:u:bob:rx` is `default:user:bob:r-x`, `m:5` is `mask::r-x`. Without `perms` it names an entry: `u:bob`. Throws USAGE for another form.
 */
export function longForm(text: string, perms: boolean): string {
  const match = /^(?:d(?:efault)?:)?(u(?:ser)?|g(?:roup)?|m(?:ask)?|o(?:ther)?)(?::(.*))?$/i.exec(text)
  const parts = match?.[2]?.split(':') ?? []
  const type = match && (words[match[1]!.toLowerCase()] ?? match[1]!.toLowerCase())
  const wrong = new GristmillError('USAGE', perms
    ? `${JSON.stringify(text)} is not an entry; write for instance user:bob:rw-, group:staff:r-x or default:other::---`
    : `${JSON.stringify(text)} does not name an entry; write it without permissions, for instance user:bob or default:group:staff`)
  if (!type) throw wrong
  const scope = /^d(?:efault)?:/i.test(text) ? 'default:' : ''
  if (!perms) {
    const [name = '', nothing = '', ...more] = parts
    if (nothing !== '' || more.length > 0) throw wrong
    return `${scope}${type}:${name}`
  }
  // setfacl(1) lets out the empty name of mask and other: m:rx.
  const [name = '', permissions = ''] = parts.length === 1 && (type === 'mask' || type === 'other') ? ['', parts[0]] : parts
  const perm = parts.length > 2 ? undefined : permissionsOf(permissions)
  if (perm === undefined) throw wrong
  return `${scope}${type}:${name}:${permText(perm)}`
}

/** `rwx`, `r-x`, `rx`, `5`; undefined for others. */
function permissionsOf(text: string): number | undefined {
  if (/^[0-7]$/.test(text)) return Number(text)
  if (!/^(?:[r-][w-][x-]|(?!.*(.).*\1)[rwx]{1,3})$/.test(text)) return undefined
  return (text.includes('r') ? 4 : 0) | (text.includes('w') ? 2 : 0) | (text.includes('x') ? 1 : 0)
}
