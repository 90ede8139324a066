// Ranks of rooms: every import in the sources leads to the file's own room or to one of lower rank, and no imports form a circle. Each kind
// of import is planted in a temporary tree and found.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { circlesOf, misdirected } from './rooms.ts'
import { blank, readSources } from './source.ts'

const rooms = ['src', 'namenode', 'datanode', 'client', 'test']

test('rooms import their own files and rooms of lower rank, nothing else', () => {
  const sources = readSources(rooms)
  for (const room of rooms)
    expect(sources.filter(source => source.path.startsWith(`${room}/`)).length, `files read in ${room}`).toBeGreaterThan(0)
  expect(misdirected(sources)).toEqual([])
})

test('no files of the product import each other in a circle, types included', () => {
  const planted = (path: string, text: string) => ({ path, text, code: blank(text) })
  const sources = [
    planted('src/a.ts', "import { b } from './b.ts'"), planted('src/b.ts', "import type { C } from './c.ts'"),
    planted('src/c.ts', "export const load = () => import('./a.ts')"), planted('src/d.ts', "import type { C } from './c.ts'"),
    planted('src/e.ts', "import './d.ts'"),
  ]
  expect(circlesOf(sources)).toEqual([['src/a.ts', 'src/b.ts', 'src/c.ts']])
  expect(circlesOf(readSources(['src', 'namenode', 'datanode', 'client']))).toEqual([])
})

test('each way to import upwards is seen: static, type-only, dynamic, re-export, side effect, a type expression', () => {
  const planted = {
    'src/base/a.ts': `import { x } from '../ports/clock.ts'`,
    'src/block/b.ts': `import type { X } from '../record/line.ts'`,
    'src/ports/c.ts': `export * from '../protocol/task.ts'`,
    'src/file/d.ts': `export const f = () => import('../../client/mill.ts')`,
    'namenode/e.ts': `import '../datanode/datanode.ts'`,
    'datanode/f.ts': `const net: import('../src/world/net.ts').RealNet = none`,
    'namenode/blocks/k.ts': `import { x } from '../jobs/x.ts'`,
    'datanode/heartbeat/l.ts': `import { x } from '../executor/x.ts'`,
    'client/g.ts': `import {\n  commander, // from 'nowhere'\n} from 'commander'`,
    'src/rpc/h.ts': `import { open } from 'gristmill'`,
  }
  const fine = {
    'src/rpc/i.ts': `import { request } from 'undici'\nimport type { Clock } from '../ports/clock.ts'\nimport { j } from './j.ts'`,
    'src/rpc/j.ts': `// import { x } from '../file/x.ts'\nexport const text = "import '../file/x.ts'"\nexport const regex = /import '..\\/file/`,
    'namenode/main.ts': `import { realWorld } from '../src/world/world.ts'`,
    'client/embedded/k.ts': `import { Namenode } from '../../namenode/namenode.ts'`,
  }
  const base = mkdtempSync(join(tmpdir(), 'gristmill-tidy-'))
  try {
    for (const [path, text] of Object.entries({ ...planted, ...fine })) {
      mkdirSync(dirname(join(base, path)), { recursive: true })
      writeFileSync(join(base, path), text)
    }
    const wrong = misdirected(readSources(['src', 'namenode', 'datanode', 'client'], base))
    expect(wrong.map(sentence => sentence.split(':')[0]).sort()).toEqual(Object.keys(planted).sort())
  } finally {
    rmSync(base, { recursive: true })
  }
})
