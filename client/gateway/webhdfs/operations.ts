// The table of all operations of WebHDFS. docs/reference/webhdfs.md has a row for each.

import { aclOperations } from './acls.ts'
import { attributeOperations } from './attributes.ts'
import { changingOperations } from './changing.ts'
import { dataOperations } from './data.ts'
import { RemoteException } from './errors.ts'
import type { Operation, Verb } from './operation.ts'
import type { RequestParams } from './params.ts'
import { policyOperations } from './policies.ts'
import { readingOperations } from './reading.ts'
import { snapshotOperations } from './snapshots.ts'
import { tokenOperations } from './tokens.ts'

export const operations: readonly Operation[] = [
  ...dataOperations, ...readingOperations, ...changingOperations, ...attributeOperations, ...aclOperations,
  ...snapshotOperations, ...tokenOperations, ...policyOperations,
]

const byName = new Map(operations.map(operation => [`${operation.verb} ${operation.name}`, operation]))
const verbs: ReadonlySet<string> = new Set<Verb>(['GET', 'PUT', 'POST', 'DELETE'])

/** The operation that a request names. Throws RemoteException if there is none, or a required parameter is missing. */
export function operationOf(method: string, params: RequestParams): Operation {
  const verb = method === 'HEAD' ? 'GET' : method
  if (!verbs.has(verb))
    throw new RemoteException(
      'UnsupportedOperationException', `WebHDFS has no operations with ${method}; it has GET, PUT, POST and DELETE`,
    )
  if (params.op === undefined) throw new RemoteException('UnsupportedOperationException', 'op=NULL is not supported')
  const name = params.op.toUpperCase()
  const operation = byName.get(`${verb} ${name}`)
  if (!operation)
    throw new RemoteException('IllegalArgumentException',
      `Invalid value for webhdfs parameter "op": ${name} is not a valid ${verb} operation.`)
  const missing = operation.required?.find(required => {
    const value = params[required]
    return value === undefined || (Array.isArray(value) && value.length === 0)
  })
  if (missing !== undefined)
    throw new RemoteException('IllegalArgumentException', `Required param ${missing} for op: ${name} is null or empty`)
  return operation
}
