// Parameters of WebHDFS requests: forms, bounds, and the texts of HDFS for what does not fit, as a real HDFS 3.4.2 sends them.

import { expect, test } from 'vitest'
import { parseParams } from '../../../../../client/gateway/webhdfs/params.ts'

test('names are case-insensitive, unknown names and empty values are ignored, and a plus is a space', () => {
  expect(parseParams('OP=open&Offset=5&buffersize=4096&unheard=1&length=&destination=/a+b%2Bc&xattr.name=user.a&XAttr.Name=user.b')).toEqual({
    op: 'open', offset: 5, buffersize: 4096, destination: '/a b+c', 'xattr.name': ['user.a', 'user.b'],
  })
  expect(parseParams('')).toEqual({ 'xattr.name': [] })
})

test('values have their types', () => {
  expect(parseParams('permission=1777&overwrite=TRUE&recursive=false&modificationtime=-1&fsaction=r-x&encoding=hex&flag=CREATE,replace'))
    .toMatchObject({ permission: 0o1777, overwrite: true, recursive: false, modificationtime: -1, fsaction: 'r-x', encoding: 'HEX',
      flag: ['CREATE', 'REPLACE'] })
  expect(parseParams('length=null&createflag=&renameoptions=OVERWRITE')).toEqual({ length: undefined, renameoptions: ['OVERWRITE'],
    'xattr.name': [] })
})

test.each([
  ['offset=-1', 'Invalid value for webhdfs parameter "offset": Invalid parameter range: offset = -1 < 0'],
  ['offset=abc', 'Invalid value for webhdfs parameter "offset": Failed to parse "abc" as a radix-10 long integer.'],
  ['replication=x', 'Invalid value for webhdfs parameter "replication": Failed to parse "x" as a radix-10 short integer.'],
  ['replication=0', 'Invalid value for webhdfs parameter "replication": Invalid parameter range: replication = 0 < 1'],
  ['replication=40000', 'Invalid value for webhdfs parameter "replication": Failed to parse "40000" as a radix-10 short integer.'],
  ['permission=9', 'Invalid value for webhdfs parameter "permission": Failed to parse "9" as a radix-8 short integer.'],
  ['permission=2777', 'Invalid value for webhdfs parameter "permission": Invalid parameter range: permission = 2777 > 1777'],
  ['overwrite=maybe', 'Invalid value for webhdfs parameter "overwrite": Failed to parse "maybe" to Boolean.'],
  ['modificationtime=-7', 'Invalid value for webhdfs parameter "modificationtime": Invalid parameter range: modificationtime = -7 < -1'],
  ['fsaction=abc', 'Invalid value for webhdfs parameter "fsaction": Invalid value: "abc" does not belong to the domain [r-][w-][x-]'],
  ['user.name=9bad', 'Invalid value for webhdfs parameter "user.name": Invalid value: "9bad" does not belong to the domain ^[A-Za-z_][A-Za-z0-9._-]*[$]?$'],
  ['user.name=system:gristmill', expect.stringContaining('does not belong to the domain')],
  ['destination=abc', 'Invalid value for webhdfs parameter "destination": Invalid parameter value: destination = "abc" is not an absolute path.'],
  ['renameoptions=BOGUS',
    'Invalid value for webhdfs parameter "renameoptions": No enum constant org.apache.hadoop.fs.Options.Rename.BOGUS'],
  ['encoding=zip', 'Invalid value for webhdfs parameter "encoding": No enum constant org.apache.hadoop.fs.XAttrCodec.ZIP'],
  ['owner=%ff', 'the query of the request is not percent-encoded UTF-8'],
])('%s is refused', (query, message) => {
  expect(() => parseParams(query)).toThrow(expect.objectContaining({ exception: 'IllegalArgumentException', message }))
})
