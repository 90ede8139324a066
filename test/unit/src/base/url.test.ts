// Addresses in messages are shown without their secrets. Addresses where paths belong: each scheme is refused with the command or the path
// that is meant, and names with colons stay possible.

import { expect, test } from 'vitest'
import { localPathOf, pathOf } from '../../../../client/call/arguments.ts'
import { localPath } from '../../../../client/cli/tree.ts'
import { checkName } from '../../../../client/sql/tables.ts'
import { normalise } from '../../../../src/base/paths.ts'
import { notPath, shownUrl } from '../../../../src/base/url.ts'
import { locationOf } from '../../../../src/connector/location.ts'

const import_ = 'gristmill import (mill.import in a program) copies from there'
const both = `${import_}, gristmill export (mill.export) copies files of the cluster to there`

test.each([
  ['s3://logs/', `s3://logs/ is an address, not a path of the cluster; ${both}`],
  ['S3A://logs/a', `S3A://logs/a is an address, not a path of the cluster; ${both}`],
  ['kafka://broker:9092/clicks', `kafka://broker:9092/clicks is an address, not a path of the cluster; ${both}`],
  ['postgres://ada:secret@db/shop/scores', `postgres://db/shop/scores is an address, not a path of the cluster; ${both}`],
  ['https://h/a.csv?sig=secret', `https://h/a.csv is an address, not a path of the cluster; ${import_}`],
  ['hdfs://h:8020/a/b', 'hdfs://h:8020/a/b is an address, not a path of the cluster; a path is written without scheme and host: /a/b'],
  ['gristmill://h', 'gristmill://h is an address, not a path of the cluster; a path is written without scheme and host: /'],
  ['file:///tmp/a',
    'file:///tmp/a is an address, not a path of the cluster; gristmill put (mill.put in a program) copies it into the cluster: /tmp/a'],
  ['gs://b/k',
    'gs://b/k is an address, not a path of the cluster; gs: is not supported; a copy on this machine goes into the cluster by gristmill put (mill.put)'],
])('%s is no path of the cluster, for the command line, the library and SQL', (text, message) => {
  for (const read of [normalise, pathOf]) expect(() => read(text)).toThrow(expect.objectContaining({ code: 'EINVAL', message }))
  if (!text.startsWith('file:')) expect(() => checkName(text)).toThrow(expect.objectContaining({ message }))
})

test.each([
  ['http://mill.example/d/a%20b.csv', 'http://mill.example/d/a%20b.csv'],
  ['https://host:8080/d/x?y#z', 'https://host:8080/d/x'],
  ['https://ada:secret@host/d/x?y#z', 'https://host/d/x'],
  ['https://ada:se@cret@host/d/x', 'https://host/d/x'],
  ['s3://AKIA:secret@bucket', 's3://bucket'],
  // No text tells a slash of a password from the one before a path.
  ['https://ada:se/cret@host/d/x?y#z', 'https://…@host/d/x'],
  ['postgres://u:1234/secret@h/db', 'postgres://…@h/db'],
  ['s3://key:/sEcReT@bucket/k', 's3://…@bucket/k'],
  ['s3://to/secret@bucket/k', 's3://…@bucket/k'],
  ['https://host:8080/a@b/c', 'https://…@b/c'],
  ['s3://grain/a@b/c', 's3://…@b/c'],
  // Nor a `?` or `#` of a password from the one before a query.
  ['postgres://u:12#secret@h/db', 'postgres://…'],
  ['https://ada:se?cret@host/d/x?y#z', 'https://…'],
  ['https://ada:s/e#c?r@et@host/d/x?y#z', 'https://…'],
  ['https://host/x?signature=a@secret', 'https://…'],
  ['ada:secret@host/x', 'host/x'], ['?secret', '(address)'], ['', '(address)'],
])('%s is shown as %s', (text, shown) => {
  expect(shownUrl(text)).toBe(shown)
  expect(shown).not.toMatch(/secret|cret|et@/i)
})

test('the path of an address is named with all its characters, unless a part of it may be a password', () => {
  expect(notPath('hdfs://nn/a?b#c', 'cluster').message).toMatch(/^hdfs:\/\/nn\/a is an address, .*: \/a\?b#c$/)
  expect(notPath('webhdfs://nn/a?delegation=x', 'cluster').message).toMatch(/: \/a$/)
  expect(notPath('file:///tmp/a?b', 'local').message).toMatch(/write \/tmp\/a\?b$/)
  expect(notPath('hdfs://u:p@nn/a', 'cluster').message).toMatch(/: \/a$/)
  for (const text of ['hdfs://u:se/cret@nn/a', 'hdfs://nn/a@b', 'hdfs://u:se?/cret@nn/a'])
    expect(notPath(text, 'cluster').message).toMatch(/^(?!.*cret).*: \/PATH$/)
})

test('an address is no local path either', () => {
  const message = `s3://logs/a is an address, not a path of this machine; ${both}`
  expect(() => localPath({ cwd: '/home' }, 's3://logs/a')).toThrow(message)
  expect(() => localPathOf('s3://logs/a')).toThrow(message)
  expect(() => localPathOf('file:///tmp/a')).toThrow(/not a path of this machine; write \/tmp\/a$/)
  expect(() => localPathOf('hdfs://h/a')).toThrow(/not a path of this machine; in the cluster it is \/a$/)
})

test('names with colons stay possible', () => {
  expect(['/s3://x', '/s3:/x', 'a:b', '/a:b', '10:30', 's3:/x', '/x/s3://y', '://x'].map(normalise))
    .toEqual(['/s3:/x', '/s3:/x', '/a:b', '/a:b', '/10:30', '/s3:/x', '/x/s3:/y', '/:/x'])
  expect(localPath({ cwd: '/home' }, './s3:/x')).toBe('/home/s3:/x')
  expect(localPathOf(new URL('file:///tmp/a'))).toBe('/tmp/a')
})

test('import and export name the path for an address of a cluster', () => {
  expect(() => locationOf('hdfs://h/a')).toThrow(/written without scheme and host: \/a$/)
  expect(() => locationOf('ftp://h/a')).toThrow(/no place that gristmill can reach/)
})
