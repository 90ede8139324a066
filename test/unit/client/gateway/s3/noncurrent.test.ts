// Expiry of older versions and delete markers, on lists of versions as the namenode gives them.

import { expect, test } from 'vitest'
import type { ObjectVersion } from '../../../../../client/files/objectversions.ts'
import type { LifecycleRule } from '../../../../../client/gateway/s3/lifecyclerules.ts'
import { isAboutVersions, VersionExpiry } from '../../../../../client/gateway/s3/noncurrent.ts'

const day = 86_400_000
const rule = (more: Partial<LifecycleRule>): LifecycleRule => ({ id: 'r', enabled: true, prefix: '', filtered: true, tags: [], ...more })

/** A line of a list: key, version, day; `*`: the latest one; `!`: a delete marker; `=5`: its length. */
function version(line: string): ObjectVersion {
  const [, key, id, at, marks] = /^(\S+) (\S+) (\d+)(.*)$/.exec(line)!
  const length = Number(/=(\d+)/.exec(marks!)?.[1] ?? 1)
  const marker = marks!.includes('!')
  return {
    key: key!, version: id!, rolled: false, latest: marks!.includes('*'), marker, attributes: {},
    status: { type: marker ? 'directory' : 'file', length: marker ? 0 : length, mtimeMs: Number(at) * day } as never,
  }
}

function expired(rules: readonly Partial<LifecycleRule>[], nowDay: number, lines: readonly string[]): string[] {
  const expiry = new VersionExpiry(rules.map(rule), nowDay * day)
  return [...lines.flatMap(line => expiry.take(version(line))), ...expiry.end()].map(({ key, version: id, isOlder }) =>
    `${key} ${id}${isOlder ? '' : ' marker'}`)
}

const history = ['a/k v4 20*', 'a/k v3 18', 'a/k v2 15!', 'a/k v1 1']

test.each<[string, Partial<LifecycleRule>, number, string[]]>([
  ['the age begins when the next version was stored', { noncurrentDays: 3 }, 22, ['a/k v2', 'a/k v1']],
  ['and ends with its day', { noncurrentDays: 3 }, 23, ['a/k v3', 'a/k v2', 'a/k v1']],
  ['the newest older versions stay', { noncurrentDays: 3, newerVersions: 2 }, 40, ['a/k v1']],
  ['other keys stay', { noncurrentDays: 1, prefix: 'b' }, 40, []],
  ['sizes are of the version', { noncurrentDays: 1, smallerThan: 1 }, 40, ['a/k v2']],
  ['a rule that is off does nothing', { noncurrentDays: 1, enabled: false }, 40, []],
  ['a rule about objects does nothing', { days: 1 }, 40, []],
])('%s', (_, one, at, ids) => { expect(expired([one], at, history)).toEqual(ids) })

test('a delete marker goes when no version is behind it, or will be when the others are gone', () => {
  const lines = ['a m 10!*', 'b m 10!*', 'b v 9', 'c m 30!*', 'd v 9*']
  expect(expired([{ expiredMarker: true }], 31, lines)).toEqual(['a m marker', 'c m marker'])
  expect(expired([{ days: 5 }], 31, lines)).toEqual(['a m marker'])
  expect(expired([{ expiredMarker: true, noncurrentDays: 5 }], 31, lines)).toEqual(['a m marker', 'b v', 'b m marker', 'c m marker'])
  expect(expired([{ expiredMarker: true, prefix: 'b' }], 31, lines)).toEqual([])
})

test('a version whose successor another door has removed stays', () => {
  expect(expired([{ noncurrentDays: 1 }], 100, ['a v2 10', 'a v1 1', 'b v 1*'])).toEqual(['a v1'])
})

test('versions are looked at for rules that need them only', () => {
  expect([{ abortDays: 1 }, { dateMs: 0 }, { noncurrentDays: 1, enabled: false }].map(each => isAboutVersions([rule(each)])))
    .toEqual([false, false, false])
  expect([{ noncurrentDays: 1 }, { expiredMarker: true }, { days: 1 }].map(each => isAboutVersions([rule(each)])))
    .toEqual([true, true, true])
})
