// Guide to programs: every complete program in it is bundled and loaded.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bundleProgram } from '../../../../src/program/bundle.ts'
import { loadProgram } from '../../../../src/program/load.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { definitionOf } from './kit.ts'

test('every whole program of the guide to programs is one', async () => {
  const guide = await readFile(new URL('../../../../docs/guide/programs.md', import.meta.url), 'utf8')
  const programs = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(match => match[1]!).filter(text => text.includes('export default'))
  expect(programs).toHaveLength(3)
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-guide-'))
  try {
    for (const [i, text] of programs.entries()) {
      await writeFile(join(dir, `sample${i}.ts`), text)
      const { id, bytes } = await bundleProgram({ disk }, join(dir, `sample${i}.ts`))
      const definition = definitionOf(await loadProgram({ disk }, { id, dir, params: {}, instance: `${i}`, fetch: async () => bytes }))
      expect(definition.map).toBeTypeOf('function')
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
