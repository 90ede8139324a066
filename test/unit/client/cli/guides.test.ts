// Commands in the guides and reference pages: every `gristmill …` in their text and code blocks is a command line that the parser accepts.
// Nothing is run.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { globals } from '../../../../client/cli/catalog.ts'
import { readCommandLine } from '../../../../client/cli/commandline.ts'
import { buildProgram, usageError } from '../../../../client/cli/program.ts'
import { root } from '../../../tidy/source.ts'
import { wordsOf } from './shellwords.ts'

/** Undefined if the words are a valid command line, else the message of the error. */
async function fault(words: readonly string[]): Promise<string | undefined> {
  const { words: ordered, command, verb, general, unknown } = await readCommandLine(words)
  if (unknown) return `no such command: ${unknown[0]}`
  if (general || !command) return undefined
  const listed = verb ? { ...command, spec: { ...command.spec, options: [] } } : command
  const program = buildProgram({
    version: '0', commands: [listed], globals, execute: async () => {}, writeOut() {}, writeErr() {}, columns: () => 100,
  })
  try {
    await program.parseAsync(ordered, { from: 'user' })
    return undefined
  } catch (error) {
    const usage = usageError(error, { command: command.spec, verb, words: ordered })
    return usage || !(error instanceof Error && 'code' in error && String(error.code).startsWith('commander.'))
      ? (usage ?? (error as Error)).message : undefined
  }
}

test('the check refuses what the command line refuses', async () => {
  expect(wordsOf(`gristmill cat '/a b/part-*' | sort > x # all`)).toEqual(['gristmill', 'cat', '/a b/part-*'])
  for (const bad of ['put', 'lss /', 'ls --nope', 'trash nope', 'head -n x /a', 'quota set /a --space huge'])
    expect(await fault(wordsOf(bad)), bad).toBeDefined()
  for (const good of ['ls', 'help ls', 'trash ls --help', 'put - /a', '--version', 'job last'])
    expect(await fault(wordsOf(good)), good).toBeUndefined()
})

test('every command of the guides is one that the command line accepts', async () => {
  const guides = (await readdir(join(root, 'docs/guide'))).map(name => `docs/guide/${name}`)
  const faults: string[] = []
  let found = 0
  const others = [
    'README.md', 'docs/monitoring/alerts.yml', 'docs/security.md', 'docs/reliability.md', 'docs/reference/outputs.md',
    'docs/reference/patterns.md',
  ]
  for (const page of [...guides, ...others]) {
    const text = await readFile(join(root, page), 'utf8')
    const spans = [...text.matchAll(/`((?:npx )?gristmill [^`\n]+)`/g)].map(match => match[1]!)
    const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(match => match[1]!.replaceAll('\\\n', ' ').split('\n'))
    const command = /(?:^|[|;&(] *)(?:\$ |sudo |npx |[A-Z_]+=\S+ )*(gristmill .*)$/g
    const lines = blocks.flatMap(line => [...line.matchAll(command)].map(match => match[1]!))
    for (const line of [...spans, ...lines]) {
      // A command's name alone, as in "the help of `gristmill trash`", and a form with dots are no command lines.
      const words = wordsOf(line.replace(/^npx /, '')).slice(1)
      if (words.some(word => word.includes('…') || word === '...')) continue
      found++
      const why = await fault(words)
      const isName = words.length <= 2 && why !== undefined && !/^no such|unknown|unexpected/i.test(why)
      if (why !== undefined && !isName) faults.push(`${page}: ${line}: ${why}`)
    }
  }
  expect(faults).toEqual([])
  expect(found).toBeGreaterThan(150)
})
