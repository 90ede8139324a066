// Keys with runs of slashes, with and without content, stored and deleted in random order, against a map from keys to contents.

import { expect, test } from 'vitest'
import { dice } from '../../kit/dice.ts'
import { ada, elements, md5, ok } from './bench.ts'

const keys = [
  '/', '//', '///', '/a', '/a/', '//a', 'a', 'a/', 'a//', 'a///', 'a//b', 'a//b/', 'a/b', 'a/b/', 'a/b//', 'b/', 'b//', 'b//c/',
] as const

test.each([1, 2])('keys with runs of slashes have what was stored last, are listed once, and are gone when deleted: seed %d', async seed => {
  const { below, pick } = dice(seed)
  const bucket = `/slashes-${seed}`
  await ok('PUT', bucket)
  const stored = new Map<string, string>()
  /** Without content a key with a slash at its end is a directory, and others may lie in it. */
  const isFile = (key: string, body: string): boolean => !key.endsWith('/') || body !== ''
  const isInTheWay = (key: string, body: string): boolean => [...stored].some(([other, content]) =>
    (isFile(other, content) && key.startsWith(`${other}/`)) || (isFile(key, body) && other.startsWith(`${key}/`)))
  const steps: string[] = []
  const headOf = async (key: string): Promise<unknown> => {
    const { status, headers } = await ada.ask('HEAD', `${bucket}/${key}`)
    return [key, status === 200 ? headers['etag'] : status]
  }
  for (let step = 0; step < 150; step++) {
    const key = pick(keys)
    if (below(3) > 0) {
      const body = below(2) === 0 ? '' : `content ${step}`
      steps.push(`PUT ${key} "${body}"`)
      const { status } = await ada.ask('PUT', `${bucket}/${key}`, { body })
      expect(status, steps.slice(-10).join('\n')).toBe(isInTheWay(key, body) ? 409 : 200)
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
  }
})
