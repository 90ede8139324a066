// The table of operations and the table of errors: what a request names, what is missing in it, and the exception of each error code.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exceptionOf, remoteException, RemoteException } from '../../../../../client/gateway/webhdfs/errors.ts'
import { operationOf, operations } from '../../../../../client/gateway/webhdfs/operations.ts'
import { parseParams } from '../../../../../client/gateway/webhdfs/params.ts'
import { decodeValue } from '../../../../../client/gateway/webhdfs/attributes.ts'
import { fileStatus, locatedBlocks } from '../../../../../client/gateway/webhdfs/shapes.ts'
import { codes, GristmillError, type ErrorCode } from '../../../../../src/base/errors.ts'
import type { FileStatus, LocatedBlock } from '../../../../../src/protocol/namespace.ts'
import { root } from '../../../../tidy/source.ts'

const asked = (method: string, query: string) => operationOf(method, parseParams(query))

test('an operation is found by its verb and its name, in any case', () => {
  expect(asked('PUT', 'Op=mkDIrs').name).toBe('MKDIRS')
  expect(asked('HEAD', 'op=getfilestatus').name).toBe('GETFILESTATUS')
})

test.each([
  ['GET', 'op=WHAT', 'IllegalArgumentException', 'Invalid value for webhdfs parameter "op": WHAT is not a valid GET operation.'],
  ['PUT', 'op=DELETE', 'IllegalArgumentException', 'Invalid value for webhdfs parameter "op": DELETE is not a valid PUT operation.'],
  ['GET', 'x=1', 'UnsupportedOperationException', 'op=NULL is not supported'],
  ['PATCH', 'op=OPEN', 'UnsupportedOperationException', expect.stringContaining('no operations with PATCH')],
  ['PUT', 'op=RENAME&destination=', 'IllegalArgumentException', 'Required param destination for op: RENAME is null or empty'],
  ['PUT', 'op=SETXATTR&flag=CREATE', 'IllegalArgumentException', 'Required param xattr.name for op: SETXATTR is null or empty'],
  ['POST', 'op=CONCAT', 'IllegalArgumentException', 'Required param sources for op: CONCAT is null or empty'],
])('%s %s is refused in the words of HDFS', (method, query, exception, message) => {
  expect(() => asked(method, query)).toThrow(expect.objectContaining({ exception, message }))
})

test('every error code has an exception, and those of an operation go before', () => {
  /** Codes that no call of a gateway gets. */
  const foreign = /^(?:EPIPE|WRONG_CLUSTER|UNREGISTERED|STALE_EPOCH|OUTCOME_UNKNOWN|ABORTED|PROGRAM|TASK|JOB|CHECK_REFUSED|CONFIG|DIR_|EADDR|USAGE|INTERNAL)/
  const unforeseen = (Object.keys(codes) as ErrorCode[]).filter(code => exceptionOf(new GristmillError(code, '')) === 'RuntimeException')
  expect(unforeseen.filter(code => !foreign.test(code))).toEqual([])
  expect(exceptionOf(new GristmillError('ENOTDIR', ''), { ENOTDIR: 'FileNotFoundException' })).toBe('FileNotFoundException')
  const quota = (limit: object, used: object) => exceptionOf(new GristmillError('EDQUOT', '', { details: { limit, used } }))
  expect(quota({ names: 5 }, { names: 5, bytes: 1 })).toBe('NSQuotaExceededException')
  expect(quota({ bytes: 5 }, { names: 5, bytes: 1 })).toBe('DSQuotaExceededException')
  expect(quota({ names: 9, bytes: 5 }, { names: 5, bytes: 1 })).toBe('DSQuotaExceededException')
})

test('an error is a RemoteException with the class that Hadoop makes again', () => {
  expect(remoteException(new GristmillError('ENOENT', 'there is no /x'))).toEqual({
    status: 404,
    body: '{"RemoteException":{"exception":"FileNotFoundException","javaClassName":"java.io.FileNotFoundException","message":"there is no /x"}}',
  })
  expect(remoteException(new RemoteException('InvalidToken',
    'x')).body).toContain('org.apache.hadoop.security.token.SecretManager$InvalidToken')
})

test('values of attributes are text, hex digits or base64', () => {
  expect([decodeValue('12'), decodeValue('"12"'), decodeValue('0x3132'), decodeValue('0sMTI='), decodeValue('')].map(String))
    .toEqual(['12', '12', '12', '12', ''])
  expect(() => decodeValue('0x123')).toThrow(/hexadecimal/)
})

const file = {
  path: '/d/f', id: 7, type: 'file', length: 5, replication: 3, blockBytes: 1024, blocks: 1, format: 'bytes', owner: 'ada', group: 'ada',
  mode: 0o644, mtimeMs: 9,
} as unknown as FileStatus

test('JSON has the keys that Hadoop reads', () => {
  expect(fileStatus(file, 'f')).toEqual({
    pathSuffix: 'f', type: 'FILE', length: 5, owner: 'ada', group: 'ada', permission: '644', accessTime: 9, modificationTime: 9,
      blockSize: 1024,
    replication: 3, fileId: 7, storagePolicy: 0, childrenNum: 0,
  })
  expect(fileStatus({ ...file, type: 'directory', mode: 0o1777 })).toEqual({
    pathSuffix: '', type: 'DIRECTORY', length: 5, owner: 'ada', group: 'ada', permission: '1777', accessTime: 0, modificationTime: 9,
      blockSize: 0,
    replication: 0, fileId: 7, storagePolicy: 0,
  })
  const block = { id: 4, offset: 0, length: 5, nodes: [{ node: 'n', address: '[::1]:8621', rack: '/r',
    host: 'h' }] } as unknown as LocatedBlock
  expect(locatedBlocks(file, [block], block, 'c')).toMatchObject({
    LocatedBlocks: {
      fileLength: 5, isLastBlockComplete: true, lastLocatedBlock: { block: { blockId: 4 } },
      locatedBlocks: [{ startOffset: 0, locations: [{ name: '[::1]:8621', ipAddr: '[::1]', xferPort: 8621, hostName: 'h' }] }],
    },
  })
})

test('the reference has a row for every operation, with its state', () => {
  const page = readFileSync(join(root, 'docs/reference/webhdfs.md'), 'utf8')
  const rows = [...page.matchAll(/^\| (GET|PUT|POST|DELETE) \| `([A-Z_]+)` \| (\w+) \| (.*) \|$/gm)].map(([, verb, name, state,
    notes]) => ({
    verb, name, state, notes,
  }))
  const wanted = operations.map(({ verb, name, unsupported, limits = '' }) => ({
    verb, name, state: unsupported ? 'refused' : 'served', notes: limits,
  }))
  expect(rows).toEqual(wanted)
})
