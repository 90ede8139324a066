// The command that adds a package, for each place where this one may be installed.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { installing } from '../../../../src/world/installing.ts'

const dir = mkdtempSync(join(tmpdir(), 'gristmill-installing-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('a package is added to the project, or where there is none globally', () => {
  const file = join(dir, 'node_modules/gristmill/src/world/installing.js')
  const nested = join(dir, 'node_modules/.store/gristmill/node_modules/gristmill/src/world/installing.js')
  expect([file, nested].map(from => installing('avsc', from))).toEqual(['npm install --global avsc', 'npm install --global avsc'])
  writeFileSync(join(dir, 'package.json'), '{}')
  expect([file, nested].map(from => installing('pg pg-copy-streams', from))).toEqual(
    ['npm install pg pg-copy-streams', 'npm install pg pg-copy-streams'],
  )
  expect(installing('avsc'), 'a checkout').toBe('npm install avsc')
})
