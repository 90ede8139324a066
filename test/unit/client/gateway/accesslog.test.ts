// Lines of a gateway's access log: the combined format, which log analysers parse, whatever a client sends.

import { expect, test } from 'vitest'
import { accessLine, type AccessEntry } from '../../../../client/gateway/accesslog.ts'

const entry: AccessEntry = {
  peer: '127.0.0.1', user: 'ada', atMs: Date.UTC(2026, 10, 3, 4, 5, 6), method: 'GET', target: '/webhdfs/v1/a?op=OPEN', httpVersion: '1.1',
  status: 200, bytes: 12, referer: undefined, agent: 'curl/8',
}

test('a line has the fields of the combined format', () => {
  expect(accessLine(entry)).toBe('127.0.0.1 - ada [03/Nov/2026:04:05:06 +0000] "GET /webhdfs/v1/a?op=OPEN HTTP/1.1" 200 12 "-" "curl/8"\n')
  expect(accessLine({ ...entry, user: undefined, bytes: 0, referer: 'http://x/' }))
    .toBe('127.0.0.1 - - [03/Nov/2026:04:05:06 +0000] "GET /webhdfs/v1/a?op=OPEN HTTP/1.1" 200 - "http://x/" "curl/8"\n')
})

test('credentials in a query are masked', () => {
  const line = accessLine({ ...entry, target: '/webhdfs/v1/?op=X&delegation=abc&Token=def&X-Amz-Signature=0&user.name=ada' })
  expect(line).toContain('?op=X&delegation=***&Token=***&X-Amz-Signature=***&user.name=ada HTTP')
})

test('quotes, line breaks and other bytes of a client cannot end a field or a line', () => {
  const line = accessLine({ ...entry, agent: 'a" 200\n\x1b[2Jü\\', user: 'a b]' })
  expect(line.indexOf('\n')).toBe(line.length - 1)
  expect(line).toContain(String.raw`"a\" 200\x0a\x1b[2J\xc3\xbc\\"`)
  expect(line).toContain(' - a_b] [')
  expect(accessLine({ ...entry, agent: 'x'.repeat(100_000) }).length).toBeLessThan(5000)
})
