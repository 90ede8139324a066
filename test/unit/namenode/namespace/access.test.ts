// Permissions, as a table: which class's bits count, and which users may remove names from a sticky directory.

import { expect, test } from 'vitest'
import {
  checkMay, checkNotSystem, checkOwner, checkSticky, may, mayRead, maySearch, mayWrite, stickyBit,
} from '../../../../namenode/namespace/access.ts'
import { as, root } from '../kit.ts'

test('owner, group and others each have their own bits and no others, as POSIX has it', () => {
  const entry = (mode: number) => ({ owner: 'ann', group: 'bob', mode })
  for (const access of [mayRead, mayWrite, maySearch] as const) {
    for (const [user, shift] of [['ann', 6], ['bob', 3], ['eve', 0]] as const) {
      for (let bits = 0; bits < 8; bits++) {
        // All other classes have the opposite bits, which must not matter.
        const mode = (0o777 ^ (7 << shift) ^ (bits === 7 ? 0o777 ^ (7 << shift) : 0)) | bits << shift
        expect(may(as(user), entry(mode), access), `${user}, ${access}, ${mode.toString(8)}`).toBe((bits & access) !== 0)
        expect(may(as(user), entry(bits << shift), access)).toBe((bits & access) !== 0)
      }
    }
    expect(may(root, entry(0), access)).toBe(true)
  }
})

test('a refusal names user and path, and has owner, group and mode with four octal digits, as chmod takes it', () => {
  const refusal = (mode: number, access: typeof mayRead | typeof mayWrite | typeof maySearch): string => {
    try { checkMay(as('eve'), { owner: 'ann', group: 'staff', mode }, access, '/d') } catch (error) { return (error as Error).message }
    return 'none'
  }
  const rest = 'it belongs to ann, group staff, with mode'
  expect(refusal(0o640, mayRead)).toBe(`eve may not read /d: ${rest} 0640`)
  expect(refusal(0o7, mayWrite)).toBe('none')
  expect(refusal(0o5, mayWrite)).toBe(`eve may not write to /d: ${rest} 0005`)
  expect(refusal(0o1770, maySearch)).toBe(`eve may not look into /d: ${rest} 1770`)
})

test('in a sticky directory only the owner of the name, of the directory, and the superuser remove it', () => {
  const sticky = { owner: 'ann', group: 'ann', mode: 0o777 | stickyBit }
  const name = { owner: 'bob', group: 'bob', mode: 0o666 }
  const removes = (user: { user: string; root: boolean }, parent = sticky): boolean => {
    try {
      checkSticky(user, parent, name, '/d/f')
      return true
    } catch {
      return false
    }
  }
  expect([as('ann'), as('bob'), root, as('eve')].map(user => removes(user))).toEqual([true, true, true, false])
  expect(removes(as('eve'), { ...sticky, mode: 0o777 })).toBe(true)
})

test('only the owner and the superuser change a thing', () => {
  const entry = { owner: 'ann', group: 'bob', mode: 0o777 }
  checkOwner(as('ann'), entry, '/f')
  checkOwner(root, entry, '/f')
  expect(() => checkOwner(as('bob'), entry, '/f')).toThrow(expect.objectContaining({ code: 'EACCES' }))
})

test('the root and the directories that the system lives in stay where they are; what is in them need not', () => {
  const refused = (path: string): string | undefined => {
    try {
      checkNotSystem(path, 'remove')
      return undefined
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  expect(
    ['/', '/.gristmill', '/.gristmill/jobs', '/.gristmill/trash', '/.gristmill/jobs/job-1', '/.gristmill2', '/a'].map(refused),
  ).toEqual(['EINVAL', 'EACCES', 'EACCES', 'EACCES', undefined, undefined, undefined])
})
