// Date and Math.random of programs: those of the program in its own calls and what follows from them, those of the machine elsewhere.

import { expect, test } from 'vitest'
import { programGlobals } from '../../../../src/world/programglobals.ts'

test('a program gets its own time and numbers, and nothing else does', async () => {
  const before = [Date, Math.random]
  const release = programGlobals.hold()
  const again = programGlobals.hold()
  try {
    await programGlobals.during({ now: () => 86_400_000, random: () => 0.25 }, async () => {
      await null
      class Day extends Date { tomorrow() { return new Date(this.getTime() + 86_400_000) } }
      expect([Date.now(), new Date().toISOString(), Math.random()]).toEqual([86_400_000, '1970-01-02T00:00:00.000Z', 0.25])
      expect(new Day().tomorrow().getTime()).toBe(2 * 86_400_000)
      expect([new Date(5).getTime(), new Date('2026-11-27').getTime(), Date.parse('1970-01-01'), Date.UTC(1970, 0)])
        .toEqual([5, Date.parse('2026-11-27'), 0, 0])
      expect([new Date() instanceof Date, new Day() instanceof Date, new Day() instanceof Day]).toEqual([true, true, true])
      expect(Date()).toBe(new Date(86_400_000).toString())
    })
    expect(Date.now()).toBeGreaterThan(86_400_000)
    expect(programGlobals.systemNow()).toBeGreaterThan(86_400_000)
    again()
    expect(Date).not.toBe(before[0])
  } finally {
    release()
  }
  expect([Date, Math.random]).toEqual(before)
})
