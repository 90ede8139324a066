// Attributes and access control list of a file that appear with it, in the operation that makes it visible: no reader, and no crash, finds
// the file without them.

import type { Appearance } from '../../src/protocol/writing.ts'
import type { Draft } from '../journal/draft.ts'
import { aclAfter } from '../namespace/acls.ts'
import type { NameEntry } from '../namespace/entry.ts'
import { putAttributes, userAttributesOf, type GivenAttributes } from '../xattrs/rows.ts'

type Rights = Pick<NameEntry, 'mode' | 'acl'>

/** `otherwise`: mode and list of a file whose writer has not given a list. Throws EINVAL for one that cannot be. */
export const rightsGiven = ({ acl }: { readonly acl?: readonly string[] | undefined }, otherwise: Rights): Rights =>
  (acl ? aclAfter({ directory: false, mode: otherwise.mode }, { kind: 'set', entries: acl }) : otherwise)

/** Attributes of a new file. REQUIRES: the file that it replaces is still there. */
export const attributesGiven = (
  draft: Draft, { attributes = [], keepsAttributes }: Appearance, there: Pick<NameEntry, 'id'> | undefined,
): GivenAttributes => [...keepsAttributes && there ? userAttributesOf(draft, there.id) : [], ...attributes]

/** Throws TOO_LARGE. */
export function dress(draft: Draft, { id }: Pick<NameEntry, 'id'>, attributes: GivenAttributes, path: string): void {
  if (attributes.length > 0) putAttributes(draft, id, attributes, path)
}
