// Mutations of buckets with versioning: whether new objects get versions, and the attributes of one version.

import { GristmillError } from '../../src/base/errors.ts'
import { mutation, type AnyMutation, type UserOperation } from '../journal/operation.ts'
import { checkOwner, may, mayWrite } from '../namespace/access.ts'
import { findVersion, versioningAttribute, type Versioning } from '../namespace/keyversions.ts'
import { entryAt, missingName, placeAt } from '../namespace/resolve.ts'
import { putAttribute, putAttributes, removeAttribute, type GivenAttributes } from '../xattrs/rows.ts'

export const setVersioning = mutation<UserOperation & { readonly path: string; readonly state: Versioning }, undefined>({
  kind: 'object.versioning',
  mutate(draft, { path, state, user, root }) {
    const actor = { user, root }
    const entry = entryAt(draft, actor, path)
    if (!entry.directory) throw new GristmillError('ENOTDIR', `${path} is a file; versioning is of directories`, { details: { path } })
    checkOwner(actor, entry, path)
    putAttribute(draft, entry.id, { name: versioningAttribute, value: Buffer.from(state) })
    return undefined
  },
})

interface DescribeAsked extends UserOperation {
  readonly path: string
  readonly version: string
  readonly attributes: GivenAttributes
  readonly replaces: readonly string[]
}

export const describeVersion = mutation<DescribeAsked, undefined>({
  kind: 'object.describe',
  mutate(draft, { path, version, attributes, replaces, user, root }) {
    const actor = { user, root }
    const { parent, name } = placeAt(draft, actor, path)
    const found = findVersion(draft, parent.entry.id, name, version)
    if (!found) throw missingName(path, path)
    if (found.directory) throw new GristmillError('EISDIR', `the version ${version} of ${path} is a delete marker`, { details: { path } })
    if (!may(actor, found, mayWrite)) checkOwner(actor, found, path)
    for (const each of replaces) removeAttribute(draft, found.id, each)
    putAttributes(draft, found.id, attributes, path)
    return undefined
  },
})

export const versioningMutations: readonly AnyMutation[] = [setVersioning, describeVersion]
