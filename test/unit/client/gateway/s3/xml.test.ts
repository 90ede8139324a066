// XML documents of answers, beside those of the library that reads them.

import { XMLBuilder } from 'fast-xml-parser'
import { expect, test } from 'vitest'
import { document, documentInPieces, plain, type XmlContent } from '../../../../../client/gateway/s3/xml.ts'
import { Pace } from '../../../../../client/gateway/s3/pace.ts'

const builder = new XMLBuilder({ ignoreAttributes: false, attributeNamePrefix: '@', suppressEmptyNode: true })

const contents: readonly { readonly [name: string]: XmlContent }[] = [
  {
    Name: 'b', Prefix: '', MaxKeys: 1000, IsTruncated: false,
    Contents: [{ Key: 'a&b <c>', Size: 0 }, { Key: '\u{1f33e} "x" \'y\'', Size: 7 }],
  },
  { Contents: [], CommonPrefixes: [{ Prefix: 'a/' }], Empty: {}, Tags: { Tag: ['one', '', 'two'] } },
  { Grantee: { '@xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance', '@xsi:type': 'CanonicalUser', ID: 'ada' }, None: { '@a': 'b' } },
  {},
]

test.each(contents)('a document is the one that the library writes: %j', content => {
  const head = '<?xml version="1.0" encoding="UTF-8"?>\n'
  expect(plain('Root', content)).toBe(`${head}${builder.build({ Root: content }) as string}`)
})

test('elements without content are left out, and control characters are references', () => {
  expect(plain('Root', { A: undefined, B: [undefined, 'b'], C: { '@d': undefined, E: '\u0001\ufffe' } }))
    .toBe('<?xml version="1.0" encoding="UTF-8"?>\n<Root><B>b</B><C><E>&#x1;&#xfffe;</E></C></Root>')
})

test('a document that is written in pieces is the same one', async () => {
  const elements = [{ Deleted: { Key: 'a' } }, { Error: { Key: 'b|c', Code: 'AccessDenied' } }]
  const written = await documentInPieces('DeleteResult', elements, new Pace(async () => {}))
  expect(written).toBe(document('DeleteResult', { Deleted: { Key: 'a' }, Error: { Key: 'b|c', Code: 'AccessDenied' } }))
})
