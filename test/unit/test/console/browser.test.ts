// The browser of the console's test is found where packages put it, or where CHROMIUM says; a wrong CHROMIUM is an error, and no skipped
// test.

import { expect, test } from 'vitest'
import { findBrowser } from '../../../console/browser.ts'

const among = (...paths: string[]) => (path: string): boolean => paths.includes(path)

test("Debian's chromium is found, and the one that CHROMIUM names goes before it", () => {
  expect(findBrowser({}, among('/usr/bin/chromium', '/opt/other'))).toBe('/usr/bin/chromium')
  expect(findBrowser({ CHROMIUM: '' }, among('/usr/bin/google-chrome'))).toBe('/usr/bin/google-chrome')
  expect(findBrowser({ CHROMIUM: '/opt/other' }, among('/usr/bin/chromium', '/opt/other'))).toBe('/opt/other')
})

test('without a browser there is none, and a CHROMIUM that leads nowhere is an error', () => {
  expect(findBrowser({}, among())).toBeUndefined()
  expect(() => findBrowser({ CHROMIUM: '/opt/none' }, among('/usr/bin/chromium'))).toThrow('/opt/none')
})
