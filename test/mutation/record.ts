// Setup file of a recording: writes the list of functions that each test file has entered.

import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { recordingsVariable } from './variables.ts'

const scope = globalThis as { entered?: Set<string> }
scope.entered ??= new Set()
const startMs = performance.now()

afterAll(() => {
  const file = expect.getState().testPath!
  const name = createHash('sha1').update(file).digest('hex')
  writeFileSync(
    join(process.env[recordingsVariable]!, `${name}.json`),
    JSON.stringify({ file, ms: performance.now() - startMs, entered: [...scope.entered!] }),
  )
})
