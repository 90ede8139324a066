// Mode and access control list of new names. Below a directory with a default list a name gets what that list says, and the mode that its
// creator has asked for bounds it; elsewhere it has that mode. A creator may ask for two modes: Hadoop's clients reduce the one by their
// umask, which does not count where a default list decides, and send the other one as well.

import { defaultsOf, inheritedAcl } from '../../src/base/acl.ts'
import type { NameEntry } from './entry.ts'

export const directoryMode = 0o755
export const fileMode = 0o644

type Inherited = Pick<NameEntry, 'mode' | 'acl'>

export const hasDefaults = ({ acl }: Pick<NameEntry, 'acl'>): boolean => acl !== undefined && defaultsOf(acl).length > 0

/** `mode`: the one asked for; undefined: the list alone decides. `unmasked`: the one that bounds a default list; default: `mode`. */
export function fileIn(parent: Pick<NameEntry, 'acl'>, mode: number | undefined, unmasked = mode): Inherited {
  return hasDefaults(parent) ? inheritedAcl(parent.acl, unmasked ?? 0o666, false) : { mode: mode ?? fileMode }
}

export function directoryIn(parent: Pick<NameEntry, 'acl'>, mode: number | undefined, unmasked = mode): Inherited {
  return hasDefaults(parent) ? inheritedAcl(parent.acl, unmasked ?? 0o777, true) : { mode: mode ?? directoryMode }
}

/**
 * A file that replaces another one has the list of that one, or none, and the mode that its writer has asked for. Without one it has mode
 * 0644, but with a list the mode of the replaced file, whose group bits are the mask.
 */
export function fileInPlaceOf({ mode: former, acl }: Pick<NameEntry, 'mode' | 'acl'>, mode: number | undefined): Inherited {
  return acl ? { mode: mode ?? former, acl } : { mode: mode ?? fileMode }
}
