// Tables of guides that map words or symptoms to commands: each command in them is run on a cluster that has what it names.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestCluster } from '../kit/cluster.ts'
import { root } from '../tidy/source.ts'
import { wordsOf } from '../unit/client/cli/shellwords.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-tables-'))
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
  const program = `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line, emit) { emit(line, 1) } })\n`
  for (const name of ['wordcount.ts', 'sales.ts']) await writeFile(join(dir, name), program)
})

afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

/** Local names in the tables; they are names in a directory of the test. */
const locals = ['a.log', 'new.log', 'words.txt', 'speeches', 'wordcount.ts', 'sales.ts']

/** Commands that are not run, with the reason. */
const unrun: ReadonlyArray<readonly [RegExp, string]> = [
  [/^(up|namenode|decommission|recommission|maintenance|kill|job publish|job drop)\b/, 'needs a state of its own, as other tests have it'],
  [/^tail -f /, 'does not end'], [/@N$/, 'a form'], [/^cp -r \/logs\/\.snapshot/, 'needs a snapshot of that name'],
  [/^(stream -mapper M|run sales\.ts .*delimiter)/, 'a form: M is no command, and lines have no delimiter'],
  [/^history /, 'needs an output of a job'], [/^(setrep -w 3|balance)\b/, 'needs several datanodes'],
]

/** `put` without -f makes it. */
const isWritten = (command: string, file: string): boolean => /^put (?!.*-f )/.test(command) && file.endsWith('.log')

let commandBefore = ''

/** What the commands name, made anew. */
async function prepare(command: string): Promise<void> {
  if (commandBefore === 'safemode enter') await cluster.ok(['safemode', 'leave'])
  commandBefore = command
  await cluster.run(['snapshot', 'rm', '/a', 'monday'])
  await cluster.run(['quota', 'clear', '/a'])
  await cluster.run(['rm', '-r', '--skip-trash', '/logs', '/a', '/b', '/c', '/in', '/out', '/words', '/flag', '/speeches'])
  await rm(join(dir, 'speeches'), { recursive: true, force: true })
  await mkdir(join(dir, 'speeches'))
  await writeFile(join(dir, 'speeches/one'), 'rye\n')
  for (const name of ['a.log', 'new.log']) await writeFile(join(dir, name), 'rye\n')
  if (command.startsWith('get ')) await rm(join(dir, 'a.log'))
  await rm(join(dir, 'words.txt'), { force: true })
  if (!command.startsWith('mkdir')) {
    await cluster.ok(['mkdir', '-p', '/logs/old', '/in', '/words', '/b', '/c', '/speeches'])
    const isFile = /^(checksum|setrep|mv) /.test(command)
    await cluster.ok(isFile ? ['put', '-', '/a'] : ['mkdir', '/a'], isFile ? 'rye\n' : '')
    for (const file of ['/logs/a.log', '/logs/day.log', '/logs/a', '/in/text', '/words/part-0', '/c/one'])
      if (!isWritten(command, file)) await cluster.ok(['put', '-', file], 'rye\n')
    if (command.startsWith('quota clear')) await cluster.ok(['quota', 'set', '/a', '--names', '1000'])
    if (command.startsWith('trash restore')) await cluster.ok(['rm', '-r', command.split(' ').at(-1)!])
    if (command.includes('setfacl -x')) await cluster.ok(['setfacl', '-m', 'user:bob:r-x', '/a'])
    if (/--overwrite/.test(command)) await cluster.ok(['run', join(dir, 'wordcount.ts'), '-i', '/in', '-o', '/out'])
  }
}

test.each([['hdfs', 60], ['troubleshooting', 14]])('each command in the tables of the guide %s does its work', async (name, least) => {
  const guide = await readFile(join(root, `docs/guide/${name}.md`), 'utf8')
  const rows = guide.split('\n').filter(line => line.startsWith('| '))
  const commands = new Set(rows.flatMap(row => [...row.matchAll(/`gristmill ([^`]+)`/g)].map(match => match[1]!)))
  await prepare('')
  await cluster.ok(['run', join(dir, 'wordcount.ts'), '-i', '/in', '-o', '/out'])
  let found = 0
  const faults: string[] = []
  for (const command of commands) {
    // A name alone, as in "the help of `put`".
    if (/^(get|put|rollback)$/.test(command)) continue
    if (unrun.some(([form]) => form.test(command))) continue
    found++
    await prepare(command)
    const words = wordsOf(command).map(word => (locals.includes(word) ? join(dir, word) : word === '.' ? dir : word))
    const { code, stderr } = await cluster.run(words, 'rye\n')
    if (code !== 0) faults.push(`${command}: ${code} ${stderr.trim()}`)
  }
  expect(faults).toEqual([])
  expect(found).toBeGreaterThanOrEqual(least)
})
