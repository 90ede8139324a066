// Argument forms that node:fs documents (the tables in forms/), each passed to node:fs on a local directory and to the library on an
// embedded cluster. Both have the same outcome, or the library refuses the form with an error; it never interprets it differently.

import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import * as local from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { open, type Mill } from '../../client/index.ts'
import type { Form } from './forms/form.ts'
import { handles } from './forms/handles.ts'
import { names } from './forms/names.ts'
import { reading } from './forms/reading.ts'
import { readStreams } from './forms/readstreams.ts'
import { writeStreams } from './forms/writestreams.ts'
import { writing } from './forms/writing.ts'

const forms: readonly Form[] = [...reading, ...writing, ...names, ...handles, ...readStreams, ...writeStreams]


/** Argument errors of node:fs as codes of the library. */
function outcomeOf(error: any): unknown {
  if (error.name === 'AbortError') return { error: 'AbortError' }
  const code: string = error.code ?? error.name
  return { error: /^ERR_|^EBADF$/.test(code) ? 'EINVAL' : code }
}

describe('forms of node:fs', () => {
  let dir: string
  let mill: Mill
  let areas = 0

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gristmill-node-'))
    mill = await open(join(dir, 'mill'))
  })
  afterAll(async () => {
    await mill?.close()
    rmSync(dir, { recursive: true, force: true })
  })

  async function outcome(fs: any, area: string, run: Form[1]): Promise<unknown> {
    await fs.mkdir(area, { recursive: true })
    const digits = `${area}/digits`
    await fs.writeFile(digits, '0123456789')
    try {
      return { value: await run({ fs, dir: area, digits, at: name => `${area}/${name}` }) }
    } catch (error) {
      return { ...outcomeOf(error) as object, message: (error as Error).message }
    }
  }

  test.each(forms.map(each => [...each] as [string, Form[1], Form[2]]))('%s', async (_, run, refused) => {
    const area = `area${++areas}`
    const found = await outcome(mill, `/${area}`, run) as { value?: unknown; error?: string; message?: string }
    if (refused) {
      expect(found).toMatchObject({ error: 'EINVAL', message: expect.stringMatching(/.{20}/) })
      return
    }
    const nodes = await outcome({ ...local, createReadStream, createWriteStream }, join(dir, area), run) as typeof found
    if (nodes.error !== undefined) expect(found, `node:fs said: ${nodes.message}`).toMatchObject({ error: nodes.error })
    else expect(found).toEqual(nodes)
  })
})
