// Keys with runs of slashes, with and without content, stored and deleted in random order, against a map from keys to contents.

import { expect, test } from 'vitest'
import { dice } from '../../kit/dice.ts'
import { ada, elements, md5, ok } from './bench.ts'

const keys = [
  '/', '//', '///', '/a', '/a/', '//a', 'a', 'a/', 'a//', 'a///', 'a//b', 'a//b/', 'a/b', 'a/b/', 'a/b//', 'b/', 'b//', 'b//c/',
] as const

const versionsIn = (text: string): string[] => [...text.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)].map(([, kind, fields]) =>
  `${['Key', 'VersionId', 'IsLatest'].map(name => elements(fields!, name)[0]).join(' ')} ${kind}`)

test.each([
  [1, []], [2, ['Enabled']], [3, ['Suspended']], [4, ['Enabled', 'Suspended']],
])('keys with runs of slashes have what was stored last, are listed once, and are gone when deleted: seed %d, versioning %j', async (
  seed, states,
) => {
  const { below, pick } = dice(seed)
  const bucket = `/slashes-${seed}`
  await ok('PUT', bucket)
  const stored = new Map<string, string>()
  /** Without content a key with a slash at its end is a directory, and others may lie in it. */
  const isFile = (key: string, body: string): boolean => !key.endsWith('/') || body !== ''
  const isInTheWay = (key: string, body: string): boolean => [...stored].some(([other, content]) =>
    (isFile(other, content) && key.startsWith(`${other}/`)) || (isFile(key, body) && other.startsWith(`${key}/`)))
  /** In a bucket with versioning a deleted key is in the way of others by its older versions. */
  const deletes = states.length > 0
  const steps: string[] = []
  const headOf = async (key: string): Promise<unknown> => {
    const { status, headers } = await ada.ask('HEAD', `${bucket}/${key}`)
    return [key, status === 200 ? headers['etag'] : status]
  }
  for (let step = 0; step < 100; step++) {
    const key = pick(keys)
    if (states.length > 0 && step % 20 === 0) {
      const state = pick(states)
      steps.push(state)
      const body = `<VersioningConfiguration><Status>${state}</Status></VersioningConfiguration>`
      await ok('PUT', bucket, { query: { versioning: '' }, body })
    }
    if (below(3) > 0) {
      const body = below(2) === 0 ? '' : `content ${step}`
      steps.push(`PUT ${key} "${body}"`)
      const { status } = await ada.ask('PUT', `${bucket}/${key}`, { body })
      const isRefused = status === 409 && deletes
      expect(status, steps.slice(-10).join('\n')).toBe(isRefused || isInTheWay(key, body) ? 409 : 200)
      if (status === 200) stored.set(key, body)
    } else {
      steps.push(`DELETE ${key}`)
      await ok('DELETE', `${bucket}/${key}`)
      stored.delete(key)
    }
    const context = steps.slice(-10).join('\n')
    expect(elements((await ok('GET', bucket)).text, 'Key'), context).toEqual([...stored.keys()].sort())
    for (const each of [key, pick(keys)])
      expect(await headOf(each), context).toEqual([each, stored.has(each) ? `"${md5(stored.get(each)!)}"` : 404])
    if (states.length === 0) continue
    const versions = versionsIn((await ok('GET', bucket, { query: { versions: '' } })).text)
    const ids = versions.map(text => text.split(' ', 2).join(' '))
    expect(ids, context).toEqual([...new Set(ids)])
    const latest = versions.filter(text => text.includes(' true ')).map(text => [text.split(' ')[0], text.split(' ')[3]])
    expect(latest.filter(([, kind]) => kind === 'Version').map(([name]) => name).sort(), context).toEqual([...stored.keys()].sort())
    expect(new Set(latest.map(([name]) => name)).size, context).toBe(latest.length)
    const [name, id,, kind] = pick(versions).split(' ') as [string, string, string, string]
    const { status, headers } = await ada.ask('HEAD', `${bucket}/${name}`, { query: { versionId: id } })
    expect([name, id, status, headers['x-amz-version-id']], context).toEqual([name, id, kind === 'Version' ? 200 : 405, id])
  }
})

test('versions of a key with a slash at its end go one by one, and what is the object stays it', async () => {
  const bucket = '/slash-versions'
  await ok('PUT', bucket)
  await ok('PUT', `${bucket}/before/`, { body: 'old' })
  const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
  await ok('PUT', bucket, { query: { versioning: '' }, body })
  const versionsOf = async (key: string): Promise<string[]> =>
    versionsIn((await ok('GET', bucket, { query: { versions: '', prefix: key } })).text).map(text => text.replace(`${key} `, ''))
  const contentOf = async (key: string): Promise<string | number> => {
    const { status, text } = await ada.ask('GET', `${bucket}/${key}`)
    return status === 200 ? text : status
  }
  const put = async (key: string, content: string): Promise<string> =>
    (await ok('PUT', `${bucket}/${key}`, { body: content, headers: { 'x-amz-meta-n': '1' } })).headers['x-amz-version-id'] as string
  const remove = async (key: string, versionId?: string): Promise<string> =>
    (await ok('DELETE', `${bucket}/${key}`, { query: versionId === undefined ? {} : { versionId } })).headers['x-amz-version-id'] as string

  // An old delete marker behind a key that is a directory.
  const first = await put('a/', 'content')
  const marker = await remove('a/')
  await put('a/', '')
  expect(await versionsOf('a/')).toEqual(expect.arrayContaining(['null true Version', `${first} false Version`,
    `${marker} false DeleteMarker`]))
  await remove('a/', marker)
  expect([await versionsOf('a/'), await contentOf('a/')]).toEqual([['null true Version', `${first} false Version`], ''])
  expect((await ada.ask('HEAD', `${bucket}/a/`)).headers['x-amz-meta-n']).toBe('1')

  // The directory is the version null, behind which the content is the object again.
  await remove('a/', 'null')
  expect([await versionsOf('a/'), await contentOf('a/')]).toEqual([[`${first} true Version`], 'content'])
  await remove('a/', first)
  expect([await versionsOf('a/'), await contentOf('a/')]).toEqual([[], 404])

  // Content from before versioning has the id null, as the directory: it is kept until it can be the object again.
  await put('before/', '')
  expect([await versionsOf('before/'), await contentOf('before/')]).toEqual([['null true Version'], ''])
  await remove('before/', 'null')
  expect([await versionsOf('before/'), await contentOf('before/')]).toEqual([['null true Version'], 'old'])
})
