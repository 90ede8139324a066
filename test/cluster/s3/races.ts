// Other doors and other clients at the same time. Registered by test/cluster/s3.test.ts, in its cluster.

import { expect, test } from 'vitest'
import { until } from '../../kit/cluster.ts'
import { ada, elements, left, md5, metric, mill, ok, other, webhdfs } from './bench.ts'

test('two doors at once: an object is whole and as its ETag says, while other doors write, rename and remove it', async () => {
  const body = (n: number): string => `${n}:`.padEnd(6000 + n, String(n % 10))
  const webHdfs = (method: string, path: string, op: string, text?: string): Promise<Response> =>
    fetch(`${webhdfs}/grain/doors/${path}?op=${op}&user.name=ada&data=true`, { method, ...text !== undefined && { body: text } })
  await ok('PUT', '/grain/doors/a', { body: body(0) })
  const answers = await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    const key = `/grain/doors/${'abc'[i % 3]}`
    switch (i % 6) {
      case 0: return webHdfs('PUT', 'abc'[i % 3]!, 'CREATE&overwrite=true', body(i)).then(({ status }) => `create ${status}`)
      case 1: return webHdfs('PUT', 'a', 'RENAME&destination=/grain/doors/b').then(({ status }) => `rename ${status}`)
      case 2: return mill.rm(key, { skipTrash: true }).then(() => 'rm ok', (error: { code: string }) => `rm ${error.code}`)
      case 3: return ada.ask('DELETE', key).then(({ status, code = '' }) => `delete ${status}${code}`)
      default: return (i % 2 ? ada : other).ask('PUT', key, { body: body(i) }).then(({ status, code = '' }) => `put ${status}${code}`)
    }
  }))
  // Each door answers in its own words that another one was faster, and never with an error of its own making.
  const expected = /^(?:create (?:201|403)|rename 200|rm (?:ok|ENOENT|EBUSY)|delete 204|put (?:200|409\w+|503\w+))$/
  expect([...new Set(answers)].filter(each => !expected.test(each))).toEqual([])
  for await (const { path } of mill.list('/grain/doors')) {
    const text = String(await mill.readFile(path))
    expect(body(Number(text.split(':')[0]))).toBe(text)
    const { headers } = await ok('HEAD', path)
    if (!String(headers['etag']).includes('-')) expect(headers['etag']).toBe(`"${md5(text)}"`)
  }
  await until('the end of all leases', async () => (await metric('gristmill_leases')) === 0)
  expect(await left()).toEqual([[]])
  await mill.rm('/grain/doors', { recursive: true, skipTrash: true })
})

test('keys that stay are listed once, on whatever page, while others come, go and are renamed', async () => {
  const stay = Array.from({ length: 24 }, (_, i) => `pages/stay-${String(i).padStart(2, '0')}${i % 3 ? '' : '/x'}`)
  await Promise.all(stay.map(key => ok('PUT', `/grain/${key}`)))
  let ended = false
  const changing = (async () => {
    for (let i = 0; !ended; i++) {
      const name = `/grain/pages/stay-${String(i % 24).padStart(2, '0')}-gone`
      await mill.writeFile(name, '')
      await mill.rename(name, `/grain/pages/a-${i}`, { overwrite: true })
      await mill.rm(`/grain/pages/a-${i}`, { skipTrash: true })
    }
  })()
  for (const version of ['1', '2']) {
    const seen: string[] = []
    for (let next: string | undefined = ''; next !== undefined;) {
      const from: Record<string, string> = next === '' ? {} : { [version === '2' ? 'continuation-token' : 'marker']: next }
      const { text } = await ok('GET', '/grain', {
        query: { ...version === '2' && { 'list-type': '2' }, prefix: 'pages/', 'max-keys': '5', ...from } as Record<string, string>,
      })
      const keysOf = elements(text, 'Key')
      seen.push(...keysOf)
      next = elements(text, 'IsTruncated')[0] === 'true'
        ? elements(text, version === '2' ? 'NextContinuationToken' : 'NextMarker')[0] ?? keysOf.at(-1) : undefined
    }
    expect(seen.filter(key => stay.includes(key))).toEqual(stay)
  }
  ended = true
  await changing
  await mill.rm('/grain/pages', { recursive: true, skipTrash: true })
})
