// Page of settings: docs/reference/settings.md is the text generated from the table of settings.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { settingsFile, settingsPage } from './settingspage.ts'

test('docs/reference/settings.md is the table of settings, no row more and none less', () => {
  expect(readFileSync(settingsFile, 'utf8')).toBe(settingsPage())
})
