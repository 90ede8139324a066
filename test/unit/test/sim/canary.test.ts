// Planted bugs of the simulation: the source text that each one changes exists exactly once.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { canaries } from '../../../sim/canary/index.ts'

const root = join(import.meta.dirname, '../../../..')

test.each(Object.entries(canaries))('the text that the planted bug %s changes is in its file, once', (_, { changes }) => {
  for (const { file, from } of changes) expect(readFileSync(join(root, file), 'utf8').split(from), `${file}: ${from}`).toHaveLength(2)
})
